/// A failed operation of a store, which changed nothing.
public struct StorageError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of error.
  public enum Kind: Sendable, Hashable {
    /// The disk or the user's quota is full.
    case full
    /// The file or the file system isn't writable.
    case readOnly
    /// This user may not open or create the file.
    case notPermitted
    /// Another process kept the file locked for longer than the timeout.
    case busy
    /// The file has version `found`, which is newer than `known`, the newest that this program supports.
    case newer(found: Int, known: Int)
    /// The file belongs to another master key.
    case wrongKey
    /// The file is damaged, or not a database.
    case corrupt
    /// The path leads to a directory or something else that isn't a file.
    case notFile
    /// The file is a database of another program.
    case foreign
    /// The file was deleted or replaced while this process had it open.
    case gone
    /// This process has closed the file.
    case closed
    /// Any other error. The text contains nothing of a mail.
    case other(String)
  }

  /// The kind of error.
  public var kind: Kind
  /// The path of the store.
  public var place: String

  /// An error of the store at `place`.
  public init(_ kind: Kind, place: String) {
    self.kind = kind
    self.place = place
  }

  /// The message and the remedy.
  public var diagnostic: Diagnostic { Diagnostic(message, remedy: remedy) }

  /// The diagnostic's text.
  public var description: String { diagnostic.description }

  private var message: String {
    switch kind {
    case .full: "the database \(place) can't grow: the disk is full"
    case .readOnly: "the database \(place) isn't writable"
    case .notPermitted: "the database \(place) can't be opened or created by this user"
    case .busy: "the database \(place) is locked by another process"
    case .newer(let found, let known):
      "the database \(place) was written by a newer Pabal: it has version \(found), this one supports \(known)"
    case .wrongKey: "the database \(place) belongs to another master key"
    case .corrupt: "the database \(place) is damaged or isn't a database of Pabal"
    case .notFile: "the database \(place) isn't a file"
    case .foreign: "the database \(place) belongs to another program"
    case .gone: "the database \(place) was deleted or replaced while it was in use"
    case .closed: "the database \(place) has been closed"
    case .other(let text): "the database \(place) failed: \(text)"
    }
  }

  private var remedy: String? {
    switch kind {
    case .full: "free some space; no acknowledged mail is lost"
    case .readOnly: "make the file, its directory and its -wal and -shm files writable for this user"
    case .notPermitted: "make this user the owner of the file (0600) and its directory, or run as their owner"
    case .busy: "try again, or stop the process that holds it"
    case .newer: "run the newer version, or set another file in \"storage\""
    case .wrongKey: "restore its key, or set another file in \"storage\""
    case .corrupt: "restore it from a backup, or move it away to start with a new one"
    case .notFile, .foreign: "set \"storage\": {\"path\": …} to a file of its own, which Pabal creates"
    case .gone: "put it back and restart; mail that is accepted until then is lost"
    case .closed, .other: nil
    }
  }
}
