// swift-tools-version: 6.3
import PackageDescription

let package = Package(
  name: "pabal",
  products: [
    .executable(name: "pabal", targets: ["pabal"]),
    .executable(name: "pabal-main", targets: ["pabal-main"]),
    .library(name: "PabalFormats", targets: ["PabalFormats"]),
    .library(name: "PabalCore", targets: ["PabalCore"]),
    .library(name: "PabalMessages", targets: ["PabalMessages"]),
    .library(name: "PabalStorage", targets: ["PabalStorage"]),
    .library(name: "PabalPlugin", targets: ["PabalPlugin"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .target(name: "CPabalTransport"),
    .target(name: "CPabalCurl"),
    .target(name: "CPabalPostgreSQL"),
    .systemLibrary(name: "CPabalGNU"),
    .systemLibrary(name: "CPabalIDN", pkgConfig: "libidn2", providers: [.apt(["libidn2-dev"])]),
    .systemLibrary(name: "CPabalCMark", pkgConfig: "libcmark", providers: [.apt(["libcmark-dev"])]),

    .target(name: "PabalFormats"),
    .target(
      name: "PabalCore",
      dependencies: [
        "PabalFormats", "CPabalTransport", "CPabalGNU", "CPabalIDN",
        .product(name: "Crypto", package: "swift-crypto"),
      ]),
    .target(name: "PabalMessages", dependencies: ["PabalFormats", "PabalCore", "CPabalCMark"]),
    .target(name: "PabalPlugin", dependencies: ["CPabalTransport"]),
    .target(name: "PabalCurl", dependencies: ["CPabalCurl"]),
    // What the transports by REST APIs share: HTTP over kept connections, and a header that agrees with the envelope.
    .target(name: "PabalREST", dependencies: ["PabalFormats", "PabalCurl", "PabalPlugin", "CPabalIDN"]),
    .target(
      name: "PabalAccounts",
      dependencies: [
        "PabalFormats", "PabalCore", "PabalCurl", .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "CryptoExtras", package: "swift-crypto"),
      ]),
    .target(
      name: "PabalStorage",
      dependencies: [
        "CPabalPostgreSQL", "PabalCore", .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ]),
    .target(
      name: "PabalHTTP",
      dependencies: [
        "PabalFormats", "PabalCore", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      resources: [
        .embedInCode("openapi.json"), .embedInCode("Demo/Page/verify.html"),
        .embedInCode("Demo/Page/verify.css"), .embedInCode("Demo/Page/verify.js"),
        .embedInCode("Demo/Page/ko.json"), .embedInCode("Demo/Page/en.json"),
      ]),
    // The SMTP dialogue, the listener, and the drop directory of `pabal sendmail`.
    .target(
      name: "PabalSubmission",
      dependencies: [
        "PabalFormats", "PabalCore", "CPabalGNU", .product(name: "CryptoExtras", package: "swift-crypto"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "NIOTLS", package: "swift-nio"),
      ]),
    .target(
      name: "PabalCommand", dependencies: ["PabalFormats", "PabalCore", "PabalMessages", "PabalAccounts"]),
    .executableTarget(name: "pabal", dependencies: ["PabalCommand", "PabalCore"]),
    .target(
      name: "PabalServer",
      dependencies: [
        "PabalCommand", "CPabalGNU", "PabalCore", "PabalMessages", "PabalAccounts", "PabalStorage",
        "PabalHTTP", "PabalSubmission",
      ]),
    .executableTarget(
      name: "pabal-main",
      dependencies: [
        "PabalServer", "PabalCommand", "PabalCore", "PabalMessages", "PabalAccounts", "PabalStorage",
        "PabalSubmission",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    .executableTarget(name: "bench-render", dependencies: ["PabalMessages"], path: "Benchmarks/render"),

    .executableTarget(
      name: "bench-outbox", dependencies: ["PabalStorage", "PabalCore"], path: "Benchmarks/outbox"),
    .executableTarget(
      name: "bench-http", dependencies: ["PabalHTTP", "PabalMessages", "PabalStorage", "PabalCore"],
      path: "Benchmarks/http"),

    .target(
      name: "PabalTesting", dependencies: ["PabalFormats", "PabalCore", "CPabalGNU"],
      path: "Tests/PabalTesting"),
    // What the tests of the transports by REST APIs share.
    .target(
      name: "PabalRESTTesting",
      dependencies: ["PabalFormats", "PabalREST", "PabalCore", "PabalPlugin", "PabalTesting"],
      path: "Tests/PabalRESTTesting"),
    .executableTarget(
      name: "pabal-contract", dependencies: ["PabalCore", "PabalTesting"], path: "Tests/Contract"),
    .testTarget(name: "PabalFormatsTests", dependencies: ["PabalFormats", "PabalTesting"]),
    .testTarget(
      name: "PabalCoreTests",
      dependencies: [
        "PabalFormats", "PabalCore", "PabalTesting", .product(name: "Crypto", package: "swift-crypto"),
      ]),
    .testTarget(name: "PabalMessagesTests", dependencies: ["PabalFormats", "PabalMessages", "PabalTesting"]),
    .executableTarget(
      name: "token-client", dependencies: ["PabalAccounts", "PabalCore"], path: "Tests/Programs/TokenClient"),
    .testTarget(
      name: "PabalAccountsTests",
      dependencies: ["PabalFormats", "PabalAccounts", "PabalCore", "PabalTesting", "token-client"]),
    .executableTarget(
      name: "outbox-worker", dependencies: ["PabalStorage", "PabalCore"], path: "Tests/Programs/OutboxWorker"),
    .executableTarget(
      name: "verification-client", dependencies: ["PabalStorage", "PabalCore"],
      path: "Tests/Programs/VerificationClient"),
    .testTarget(
      name: "PabalStorageTests",
      dependencies: [
        "PabalStorage", "PabalCore", "PabalTesting", "outbox-worker", "verification-client",
        .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    .testTarget(
      name: "PabalHTTPTests",
      dependencies: [
        "PabalHTTP", "PabalCore", "PabalTesting", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
      ]),
    .testTarget(
      name: "PabalSubmissionTests",
      dependencies: [
        "PabalSubmission", "PabalFormats", "PabalCore", "PabalTesting",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ]),
    .testTarget(name: "FileTransportTests", dependencies: ["PabalCore", "PabalTesting"]),
    .executableTarget(
      name: "sign-up", dependencies: ["PabalStorage", "PabalMessages", "PabalCore"], path: "Examples/SignUp"),
    .executableTarget(name: "sign-up-over-http", path: "Examples/SignUpOverHTTP"),
    .executableTarget(
      name: "verification-starter", dependencies: ["PabalStorage", "PabalMessages", "PabalCore"],
      path: "Tests/Programs/VerificationStarter"),
    .testTarget(
      name: "CommandLineTests",
      dependencies: ["PabalTesting", "sign-up", "sign-up-over-http", "verification-starter"]),
    .testTarget(name: "PabalCurlTests", dependencies: ["PabalCurl", "PabalTesting"]),
    .testTarget(
      name: "SMTPTransportTests",
      dependencies: [
        "PabalFormats", "SMTPTransport", "PabalCurl", "PabalPlugin", "CPabalTransport", "PabalTesting",
      ]),
    .testTarget(
      name: "GraphTransportTests",
      dependencies: [
        "PabalFormats", "GraphTransport", "PabalREST", "PabalCore", "PabalPlugin", "PabalTesting",
        "PabalRESTTesting",
      ]),
    .testTarget(
      name: "GmailTransportTests",
      dependencies: [
        "PabalFormats", "GmailTransport", "PabalREST", "PabalCore", "PabalPlugin", "PabalTesting",
        "PabalRESTTesting",
      ]),
  ]
)

// A transport in C is one target; its product is libpabal-<name>.so.
for name in ["Console"] {
  package.targets.append(
    .target(
      name: "\(name)Entry", dependencies: ["CPabalTransport"], path: "Plugins/\(name)",
      publicHeadersPath: "."))
  package.products.append(
    .library(name: "pabal-\(name.lowercased())", type: .dynamic, targets: ["\(name)Entry"]))
}

// A transport in Swift is <Name>Transport, which tests import, and the one-file <Name>Entry with the
// exported symbol: two entries in one test program would clash.
for (name, uses) in [
  ("File", ["CPabalGNU"] as [Target.Dependency]), ("SMTP", ["PabalFormats", "PabalCurl", "CPabalIDN"]),
  ("Gmail", ["PabalFormats", "PabalREST"]), ("Graph", ["PabalFormats", "PabalREST"]),
] {
  package.targets += [
    .target(
      name: "\(name)Transport", dependencies: ["PabalPlugin"] + uses, path: "Plugins/\(name)",
      exclude: ["Entry"]),
    .target(
      name: "\(name)Entry", dependencies: [.byName(name: "\(name)Transport"), "PabalPlugin"],
      path: "Plugins/\(name)/Entry"),
  ]
  package.products.append(
    .library(name: "pabal-\(name.lowercased())", type: .dynamic, targets: ["\(name)Entry"]))
}

// What only the tests load: a plugin frozen at ABI 1, one with every fault, a clock that is wrong, and a read-only disk.
for name in ["ABI1", "Faulty", "Clock", "ReadOnly"] {
  package.targets.append(
    .target(
      name: "\(name)Fixture", dependencies: name == "Faulty" ? ["CPabalTransport"] : [],
      path: "Tests/Fixtures/\(name)", publicHeadersPath: "."))
  package.products.append(
    .library(name: "fixture-\(name.lowercased())", type: .dynamic, targets: ["\(name)Fixture"]))
}

let inC: Set = [
  "CPabalTransport", "CPabalCurl", "CPabalPostgreSQL", "ConsoleEntry", "ABI1Fixture", "FaultyFixture",
  "ClockFixture",
  "ReadOnlyFixture",
]
for target in package.targets where target.type != .system {
  if inC.contains(target.name) {
    target.cSettings = [.treatAllWarnings(as: .error)]
  } else {
    target.swiftSettings = [
      .enableUpcomingFeature("ExistentialAny"),
      .enableUpcomingFeature("InternalImportsByDefault"),
      .treatAllWarnings(as: .error),
    ]
  }
}

// `PABAL_TESTS="PabalCoreTests GmailTransportTests"` builds only these test targets, because all of them take most of
// a build's time.
if let names = Context.environment["PABAL_TESTS"]?.split(separator: " ").map(String.init) {
  package.targets.removeAll { $0.type == .test && !names.contains($0.name) }
}
