/// Why a store could not do what it was asked; nothing of it was done.
public struct StorageError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What kind of problem it is.
  public enum Kind: Sendable, Hashable {
    /// The disk, or what this user may use of it, is full.
    case full
    /// The file or the file system can't be written to.
    case readOnly
    /// This user may not open it, or can't make it.
    case notPermitted
    /// Another process kept it locked for longer than the waiting time.
    case busy
    /// A newer Pabal made it: it has version `found`, and `known` is the newest that this one knows.
    case newer(found: Int, known: Int)
    /// It is sealed with another master key.
    case wrongKey
    /// It is damaged, or no database at all.
    case corrupt
    /// Its file was deleted or replaced while this process had it open.
    case gone
    /// It was closed by this process.
    case closed
    /// Anything else; the text names it, without anything of a mail.
    case other(String)
  }

  /// What kind of problem it is.
  public var kind: Kind
  /// The store, as a person knows it: a path.
  public var place: String

  /// A problem with the store at `place`.
  public init(_ kind: Kind, place: String) {
    self.kind = kind
    self.place = place
  }

  /// What is wrong, and what to do next.
  public var diagnostic: Diagnostic { Diagnostic(message, remedy: remedy) }

  /// The diagnostic's text.
  public var description: String { diagnostic.description }

  private var message: String {
    switch kind {
    case .full: "the database \(place) can't grow: the disk is full"
    case .readOnly: "the database \(place) can't be written to"
    case .notPermitted: "the database \(place) can't be opened or made by this user"
    case .busy: "the database \(place) is locked by another process"
    case .newer(let found, let known):
      "the database \(place) was made by a newer Pabal: its version is \(found), this one knows up to \(known)"
    case .wrongKey: "the database \(place) is sealed with another master key"
    case .corrupt: "the database \(place) is damaged, or no database of Pabal's"
    case .gone: "the database \(place) was deleted or replaced while it was in use"
    case .closed: "the database \(place) has been closed"
    case .other(let text): "the database \(place) refuses: \(text)"
    }
  }

  private var remedy: String? {
    switch kind {
    case .full: "make room; nothing that was acknowledged is lost"
    case .readOnly: "make the file, its folder and its -wal and -shm files writable for this user"
    case .notPermitted: "make the file (0600) and its folder this user's, or run as their owner"
    case .busy: "try again, or end the program that holds it"
    case .newer: "run the newer Pabal, or name another file in \"storage\""
    case .wrongKey: "put the key back that it was made with, or name another file in \"storage\""
    case .corrupt: "restore it from a backup, or move it away and a new one is made"
    case .gone: "put it back and start again; mail that is taken on until then is lost"
    case .closed, .other: nil
    }
  }
}
