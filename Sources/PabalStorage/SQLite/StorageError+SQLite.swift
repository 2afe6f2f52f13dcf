internal import GRDB
internal import PabalCore

extension StorageError {
  /// Converts an error of SQLite. The result contains neither SQL nor values.
  init(_ error: any Error, place: String) {
    switch error {
    case let error as StorageError: self = error
    case let error as DatabaseError: self.init(Kind(error), place: place)
    default: self.init(.other("\(type(of: error))"), place: place)
    }
  }
}

extension StorageError.Kind {
  fileprivate init(_ error: DatabaseError) {
    // On a full disk, a new log fails because its shared-memory file can't grow.
    if error.extendedResultCode == .SQLITE_IOERR_SHMSIZE {
      self = .full
      return
    }
    // A file with Pabal's mark that lacks its tables.
    if error.resultCode == .SQLITE_ERROR, error.message?.hasPrefix("no such ") == true {
      self = .corrupt
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
