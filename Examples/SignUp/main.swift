// A sign-up that uses the Swift library, with the terminal in place of the form: sends a code, checks what is typed, and
// redeems the proof.
// usage: sign-up CONFIG ADDRESS CLIENT-IP
// CLIENT-IP is the address of the person's browser, which the limits per client count.
import Glibc
import PabalCore
import PabalMessages
import PabalStorage

/// Sends a code and checks what is typed; returns whether the address is verified.
func signUp(_ address: String, from client: String, _ verifications: VerificationService) async -> Bool {
  do throws(VerificationError) {
    let verification = try await verifications.start(
      to: address, purpose: "sign-up", languages: ["ko"], client: client)
    print("A code is on its way to \(verification.masked).")
    while let code = readLine() {
      let checked: VerificationCheckResult
      do throws(VerificationError) {
        checked = try await verifications.check(verification.id, code: code, client: client)
      } catch {
        print("The code was not checked: \(error).")
        continue
      }
      print("\(checked.outcome.rawValue), \(checked.attemptsRemaining) attempts left")
      if let proof = checked.proof {
        // Store this address, and not the one from the form: the proof says which one was verified.
        let proven = try await verifications.redeem(proof, purpose: "sign-up")
        print("Verified: \(proven.address)")
        return true
      }
      guard checked.outcome == .mismatch || checked.outcome == .superseded else {
        print("This code can't be used any more. Start over.")
        return false
      }
    }
    print("No code was entered.")
  } catch {
    // The error of a limit (`limited`) says when it is worth trying again; a form shows that next to its button.
    print("No code was sent: \(error).")
  }
  return false
}

let arguments = CommandLine.arguments
guard arguments.count == 4 else {
  print("usage: sign-up CONFIG ADDRESS CLIENT-IP")
  exit(64)
}

/// Sets up the parts that the configuration names, and signs up with them.
func signUp(_ address: String, from client: String, configuredBy file: String) async throws -> Bool {
  let configuration = try Configuration.read(file)
  let keys = try configuration.keys.keyring()
  let database = try SQLiteDatabase(configuration.storage.path, keys: keys)
  let mail = StoredVerificationComposer(try MessageStore(configuration), from: try configuration.sender())
  let route = try configuration.loadRoute()
  let dispatcher = Dispatcher(
    SQLiteOutbox(database), sealing: keys, options: configuration.outbox.options, route: route)
  let verifications = VerificationService(
    store: SQLiteVerificationStore(database), keys: keys, composer: mail,
    policy: configuration.verification.policy,
    dispatch: dispatcher)
  let running = Task { await dispatcher.run() }

  let isVerified = await signUp(address, from: client, verifications)

  // Lets attempts that have begun end; what is left is sent by the next run.
  await dispatcher.finish()
  await running.value
  route.close()
  database.close()
  return isVerified
}

do {
  exit(try await signUp(arguments[2], from: arguments[3], configuredBy: arguments[1]) ? 0 : 1)
} catch {
  print("\(error)")
  exit(1)
}
