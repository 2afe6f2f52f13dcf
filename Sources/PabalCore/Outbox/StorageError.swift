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
    /// The file, or the log or shared memory beside it, was deleted or replaced while this process had it open; then
    /// `place` is that file.
    case gone
    /// This process has closed the file.
    case closed
    /// `pabal storage copy` has begun to move the database, and hasn't finished.
    case moving
    /// The database already has mail or verifications, so nothing is copied to it.
    case notEmpty
    /// The server of the database can't be reached now, for this reason.
    case unreachable(String)
    /// The connection was lost at the commit, and for a minute it couldn't be found out whether it happened.
    case unresolved
    /// The server refused the connection, for this reason.
    case refused(String)
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

  /// What is wrong, in a few words and without the path, for callers of the service.
  public var reason: String {
    switch kind {
    case .full: "the disk is full"
    case .readOnly: "the database isn't writable"
    case .notPermitted: "the database can't be opened"
    case .busy: "the database is locked by another process"
    case .newer: "the database was written by a newer version"
    case .wrongKey: "the database belongs to another master key"
    case .corrupt: "the database is damaged"
    case .notFile, .foreign: "the database isn't one of Pabal"
    case .gone: "the database was deleted or replaced"
    case .notEmpty: "the database isn't empty"
    case .moving: "the database is being moved"
    case .unreachable, .refused: "the database server can't be used"
    case .unresolved: "the database server can't be reached; it isn't known whether the request was stored"
    case .closed: "the service is stopping"
    case .other: "the log of the service says why"
    }
  }

  /// Whether the database is on a server.
  private var isOnServer: Bool { place.hasPrefix("postgresql://") }

  private var message: String {
    switch kind {
    case .readOnly where isOnServer: "the database \(place) takes no writes"
    case .notPermitted where isOnServer: "the database \(place) can't be used by this role"
    case .foreign where isOnServer: "the schema pabal of the database \(place) belongs to another program"
    case .corrupt where isOnServer: "the database \(place) is damaged or lacks a table"
    case .moving: "the database \(place) is being moved by pabal storage copy"
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
    case .gone: "\(fileName) was deleted or replaced while it was in use"
    case .closed: "the database \(place) has been closed"
    case .notEmpty: "the database \(place) already has mail or verifications"
    case .unreachable(let text): "the database \(place) can't be reached: \(text)"
    case .unresolved:
      "the database \(place) can't be reached, and it isn't known whether the last transaction was committed"
    case .refused(let text): "the database \(place) refused the connection: \(text)"
    case .other(let text): "the database \(place) failed: \(text)"
    }
  }

  private var fileName: String {
    for (suffix, name) in [("-wal", "log"), ("-shm", "shared memory")] where place.hasSuffix(suffix) {
      return "the \(name) \(place) of the database"
    }
    return "the database \(place)"
  }

  private var remedy: String? {
    switch kind {
    case .readOnly where isOnServer:
      "name the server that takes writes in \"storage\", or several in \"hosts\""
    case .notPermitted where isOnServer: "grant the role what the page Several nodes lists, or use the owner"
    case .foreign where isOnServer: "set another database in \"storage\""
    case .corrupt where isOnServer: "restore it from a backup"
    case .wrongKey where isOnServer: "use the key of the other nodes, or set another database in \"storage\""
    case .newer where isOnServer: "run the newer version"
    case .moving: "run pabal storage copy again to finish it"
    case .full: "free some space; no acknowledged mail is lost"
    case .readOnly: "make the file, its directory and its -wal and -shm files writable for this user"
    case .notPermitted: "make this user the owner of the file (0600) and its directory, or run as their owner"
    case .busy: "try again, or stop the process that holds it"
    case .newer: "run the newer version, or set another file in \"storage\""
    case .wrongKey: "restore its key, or set another file in \"storage\""
    case .corrupt: "restore it from a backup, or move it away to start with a new one"
    case .notFile, .foreign: "set \"storage\": {\"path\": …} to a file of its own, which Pabal creates"
    case .gone:
      "restart pabal serve, after putting it back if that is possible; no mail is accepted until then"
    case .notEmpty: "copy to a database that is empty; nothing was changed"
    case .unreachable, .unresolved:
      "check that the server runs and can be reached; no acknowledged mail is lost"
    case .refused: "check user, password and database in \"storage\""
    case .closed, .other: nil
    }
  }
}
