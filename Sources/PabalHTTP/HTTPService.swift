internal import Hummingbird
internal import PabalCore

/// The verification API over HTTP.
public struct HTTPService: Sendable {
}
