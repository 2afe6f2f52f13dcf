// The server side of a sign-up form over the HTTP API of `pabal serve`, with the terminal in place of the form: sends a
// code, checks what is typed, and redeems the proof.
// usage: sign-up-over-http URL ADDRESS CLIENT-IP
// CLIENT-IP is the address of the person's browser, which the limits per client count. A key, if the service asks for
// one, is read from PABAL_KEY.
import Foundation
import FoundationNetworking

struct Verification: Decodable {
  struct Delivery: Decodable { let status: String }
  let id: String
  let toMasked: String
  let delivery: Delivery?
}

struct Checked: Decodable {
  let outcome: String
  let attemptsRemaining: Int
  let proof: String?
}

struct Proven: Decodable {
  let address: String
}

/// A JSON body; keys are as in `openapi.json`.
struct Request: Encodable {
  struct Client: Encodable { let ip: String }
  var to: String?
  var purpose: String?
  var language: String?
  var code: String?
  var proof: String?
  var client: Client?
}

/// An answer other than success: what to tell the person, and after how many seconds to try again, if that helps.
struct Refused: Error, CustomStringConvertible {
  struct Problem: Decodable {
    let title: String
    let detail: String?
  }
  let status: Int
  let retryAfter: Int?
  private let problem: Problem?

  init(_ response: HTTPURLResponse, _ body: Data) {
    status = response.statusCode
    retryAfter = response.value(forHTTPHeaderField: "Retry-After").flatMap { Int($0) }
    problem = try? JSONDecoder().decode(Problem.self, from: body)
  }

  var description: String {
    guard let problem else { return "The service answered \(status)." }
    // `detail` is for developers; where waiting helps, a person needs to know only for how long.
    return retryAfter.map { "\(problem.title). Try again in \($0) seconds." } ?? problem.detail
      ?? problem.title
  }
}

struct API {
  let url: URL
  let key: String?

  /// Posts a body; if the connection fails, two more times.
  func post<Value: Decodable>(_ path: String, _ body: Request, idempotencyKey: String? = nil) async throws
    -> Value
  {
    var request = URLRequest(url: url.appending(path: path))
    request.httpMethod = "POST"
    request.httpBody = try JSONEncoder().encode(body)
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.setValue("wait=5", forHTTPHeaderField: "Prefer")
    if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
    if let idempotencyKey { request.setValue(idempotencyKey, forHTTPHeaderField: "Idempotency-Key") }
    let (data, response) = try await answer(to: request)
    guard response.statusCode < 300 else { throw Refused(response, data) }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Value.self, from: data)
  }

  private func answer(to request: URLRequest) async throws -> (Data, HTTPURLResponse) {
    for attempt in 1... {
      do {
        let (data, response) = try await URLSession.shared.data(for: request)
        guard let response = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        return (data, response)
      } catch  where attempt < 3 {
        try await Task.sleep(for: .seconds(1))
      }
    }
    throw URLError(.unknown)
  }
}

func explanation(of error: any Error) -> String {
  (error as? Refused)?.description ?? "The service can't be reached: \(error.localizedDescription)"
}

func stop(_ message: String) -> Never {
  FileHandle.standardError.write(Data("\(message)\n".utf8))
  exit(1)
}

let arguments = CommandLine.arguments
guard arguments.count == 4, let url = URL(string: arguments[1]) else {
  stop("usage: sign-up-over-http URL ADDRESS CLIENT-IP")
}
let api = API(url: url, key: ProcessInfo.processInfo.environment["PABAL_KEY"])
let client = Request.Client(ip: arguments[3])

let started: Verification
do {
  // The same key when the request is repeated, so that a lost answer doesn't send a second mail.
  started = try await api.post(
    "v1/verifications", Request(to: arguments[2], purpose: "sign-up", language: "ko", client: client),
    idempotencyKey: UUID().uuidString)
} catch {
  // 429 and 503 say in Retry-After when it is worth trying again; a form shows that next to its button.
  stop("No code was sent. \(explanation(of: error))")
}
guard started.delivery?.status != "rejected" else { stop("The mail can't be delivered to this address.") }
print("A code is on its way to \(started.toMasked).")

while let code = readLine() {
  let checked: Checked
  do {
    checked = try await api.post("v1/verifications/\(started.id)/check", Request(code: code, client: client))
  } catch {
    print("The code was not checked. \(explanation(of: error))")
    continue
  }
  print("\(checked.outcome), \(checked.attemptsRemaining) attempts left")
  if let proof = checked.proof {
    // Store this address, and not the one from the form: the proof says which one was verified.
    do {
      let proven: Proven = try await api.post("v1/proofs/redeem", Request(purpose: "sign-up", proof: proof))
      print("Verified: \(proven.address)")
      exit(0)
    } catch {
      stop("The proof was not redeemed. \(explanation(of: error))")
    }
  }
  guard checked.outcome == "mismatch" || checked.outcome == "superseded" else {
    stop("This code can't be used any more. Start over.")
  }
}
stop("No code was entered.")
