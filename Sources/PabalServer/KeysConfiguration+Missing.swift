import Glibc
import PabalCore

extension KeysConfiguration {
  /// Says that the file of the current key is missing; `nil` if it isn't. A running process still has the key.
  var missingFile: String? {
    guard let directory, access("\(directory)/\(Keyring.fileName)", F_OK) != 0, errno == ENOENT else {
      return nil
    }
    return
      "\(Keyring.fileName) is missing; restore it, because nothing can be read after a restart without it"
  }
}
