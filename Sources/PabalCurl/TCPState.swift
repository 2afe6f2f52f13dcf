internal import CPabalCurl
internal import Glibc

/// What the kernel knows of a connection whose peer may have closed it.
public struct TCPState: Sendable, Hashable {
  /// How a connection has ended.
  public enum End: Sendable, Hashable {
    /// It hasn't, as far as the kernel knows.
    case open
    /// The peer has closed it in order.
    case closed
    /// The peer had closed it in order, and its kernel discarded what arrived afterwards.
    case closedAndDiscarding
    /// Anything else, such as a reset alone.
    case broken
  }

  /// How the connection has ended.
  public let end: End
  /// How many of the bytes sent the peer's kernel hasn't acknowledged.
  public let unacknowledgedCount: Int
}

extension CurlHandle {
  /// Returns what the kernel knows of the connection; `nil` if it isn't TCP. Call it no more after
  /// `.closedAndDiscarding`, which is reported once.
  public func tcpState() -> TCPState? {
    var state = pabal_tcp_state()
    guard pabal_tcp_state(socket, &state) != 0 else { return nil }
    let end: TCPState.End =
      if state.is_half_closed != 0 {
        .closed
      } else if state.is_closed == 0 {
        .open
      } else {
        // A reset leaves EPIPE if the connection had been closed in order before, otherwise ECONNRESET (tcp_reset in
        // Linux).
        state.error == EPIPE ? .closedAndDiscarding : .broken
      }
    return TCPState(end: end, unacknowledgedCount: Int(state.unacknowledged))
  }

  /// Blocks until the connection has ended in both directions; returns `false` after `milliseconds`.
  public func waitForReset(milliseconds: Int) -> Bool {
    var entry = pollfd(fd: socket, events: 0, revents: 0)
    return poll(&entry, 1, CInt(clamping: milliseconds)) > 0
  }
}
