// A minimal app that uses the HTTP API of `pabal serve`: sends a code, reads it from standard input, and checks it.
// usage: sign-up-over-http URL ADDRESS
import Foundation
import FoundationNetworking

let arguments = CommandLine.arguments
guard arguments.count == 3, let service = URL(string: arguments[1]) else {
  fatalError("usage: sign-up-over-http URL ADDRESS")
}

struct Verification: Decodable {
  struct Delivery: Decodable { let status: String }
  let id: String
  let toMasked: String
  let delivery: Delivery?
}

struct Answer: Decodable {
  let outcome: String
  let attemptsRemaining: Int
}

func post<Value: Decodable>(_ path: String, _ body: [String: String]) async throws -> Value {
  var request = URLRequest(url: service.appending(path: path))
  request.httpMethod = "POST"
  request.httpBody = try JSONEncoder().encode(body)
  request.setValue("application/json", forHTTPHeaderField: "Content-Type")
  request.setValue("wait=5", forHTTPHeaderField: "Prefer")
  let (data, response) = try await URLSession.shared.data(for: request)
  guard let response = response as? HTTPURLResponse, response.statusCode < 300 else {
    throw URLError(.badServerResponse, userInfo: ["problem": String(decoding: data, as: UTF8.self)])
  }
  let decoder = JSONDecoder()
  decoder.keyDecodingStrategy = .convertFromSnakeCase
  return try decoder.decode(Value.self, from: data)
}

let started: Verification = try await post("v1/verifications", ["to": arguments[2], "language": "ko"])
guard started.delivery?.status != "rejected" else { fatalError("The code could not be sent.") }
print("A code is on its way to \(started.toMasked).")
while let code = readLine() {
  let answer: Answer = try await post("v1/verifications/\(started.id)/check", ["code": code])
  print("\(answer.outcome), \(answer.attemptsRemaining) attempts left")
  if answer.outcome == "approved" { break }
}
