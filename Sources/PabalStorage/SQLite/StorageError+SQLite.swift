internal import GRDB
internal import PabalCore

extension StorageError {
  /// What an error of SQLite's means to a person; never with SQL or values in it.
  init(_ error: any Error, place: String) {
    switch error {
    case let problem as StorageError: self = problem
    case let error as DatabaseError: self.init(Kind(error), place: place)
    default: self.init(.other("\(type(of: error))"), place: place)
    }
  }
}

extension StorageError.Kind {
  fileprivate init(_ error: DatabaseError) {
    // A shared-memory file that can't grow is how a full disk looks to a log that has just been made.
    if error.extendedResultCode == .SQLITE_IOERR_SHMSIZE {
      self = .full
      return
    }
    switch error.resultCode {
    case .SQLITE_FULL: self = .full
    case .SQLITE_READONLY: self = .readOnly
    case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH: self = .notPermitted
    case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy
    case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt
    case .SQLITE_MISUSE: self = .closed
    default: self = .other("\(error.message ?? "no reason") (SQLite \(error.extendedResultCode.rawValue))")
    }
  }
}
