// The least a Swift program can do with the library every part of the command loads.
import FoundationEssentials

let data = Data("hello\n".utf8)
print(String(decoding: data, as: UTF8.self), terminator: "")
