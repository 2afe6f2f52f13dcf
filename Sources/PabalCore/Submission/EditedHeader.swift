/// The header of a submitted mail as it will be sent: fields as they were received, rewritten or removed, and those added.
struct EditedHeader {
  private let original: MailHeader
  private var replacements: [Int: [UInt8]] = [:]
  private var removed: Set<Int> = []
  /// The field that is added above all others, with its CRLF.
  private var first: [UInt8] = []
  /// The fields that are added at the end, with their CRLF.
  private var additions: [UInt8] = []

  /// A header without changes.
  init(_ original: MailHeader) { self.original = original }

  /// Removes the fields with these lower-case names.
  mutating func remove(_ names: Set<String>) {
    for (index, field) in original.fields.enumerated() where names.contains(field.name) {
      removed.insert(index)
    }
  }

  /// Adds a Received field above all others.
  mutating func prepend(_ received: ReceivedField, _ identity: MailIdentity) {
    first = []
    received.append(to: &first, id: identity.id, date: identity.date)
  }

  /// Adds fields at the end.
  mutating func append(_ fields: [UInt8]) { additions += fields }

  /// Completes and replaces addresses.
  ///
  /// Throws if the header becomes larger than a header may be.
  mutating func rewrite(_ rewriting: AddressRewriting) throws(MailError) {
    for (index, field) in original.fields.enumerated() where !removed.contains(index) {
      guard AddressRewriting.fields[field.name] != nil,
        let value = try rewriting.rewritten(value(index), field: field.name)
      else { continue }
      replace(index, value)
    }
    guard !replacements.isEmpty else { return }
    let size = original.fields.indices.reduce(0) { removed.contains($1) ? $0 : $0 + lines($1).count }
    guard size <= MailHeader.Syntax.sizeLimit else { throw AddressRewriting.sizeError }
  }

  /// Returns the value of a field as it will be sent.
  private func value(_ index: Int) -> [UInt8] {
    let lines = lines(index)
    let name = original.fields[index].nameLength
    return Array(lines[(lines.startIndex + name)..<(lines.endIndex - 2)])
  }

  private mutating func replace(_ index: Int, _ value: [UInt8]) {
    let lines = lines(index)
    replacements[index] = Array(lines.prefix(original.fields[index].nameLength)) + value + [0x0D, 0x0A]
  }

  /// Returns a field as it will be sent.
  private func lines(_ index: Int) -> ArraySlice<UInt8> {
    if let replacement = replacements[index] { return replacement[...] }
    return original.lines(index)
  }

  /// Appends the header, without the empty line behind it.
  func append(to target: inout [UInt8]) {
    target.append(contentsOf: first)
    for index in original.fields.indices where !removed.contains(index) {
      target.append(contentsOf: lines(index))
    }
    target.append(contentsOf: additions)
  }

  // MARK: The author

  /// Makes `sender` the author. The author so far becomes the address for replies if there is none.
  ///
  /// An author with that address already stays as it is. Without a name of its own, `sender` gets the author's. A Sender
  /// field with another address is removed, because From names the sender; so is Resent-Sender, and Resent-From names
  /// `sender` as well (RFC 5322, 3.6.2 and 3.6.6).
  mutating func force(_ sender: Mailbox, completing domain: String) {
    for (index, field) in original.fields.enumerated() where !removed.contains(index) {
      guard ["sender", "resent-sender", "resent-from"].contains(field.name) else { continue }
      let named = (try? AddressList.locate(in: value(index), field: field.name, completing: domain)) ?? []
      if named.count == 1, named[0].address.isSame(as: sender.address) { continue }
      guard field.name == "resent-from" else {
        removed.insert(index)
        continue
      }
      var writer = HeaderWriter(capacity: 128)
      writer.append("Resent-From", [sender])
      replacements[index] = writer.finished()
    }
    forceAuthor(sender, completing: domain)
  }

  private mutating func forceAuthor(_ sender: Mailbox, completing domain: String) {
    let authors = original.fields.indices.filter {
      original.fields[$0].name == "from" && !removed.contains($0)
    }
    guard let index = authors.first else {
      var writer = HeaderWriter(capacity: 128)
      writer.append("From", [sender])
      return append(writer.finished())
    }
    let value = value(index)
    let located = (try? AddressList.locate(in: value, field: "from", completing: domain)) ?? []
    if authors.count == 1, located.count == 1, located[0].address.isSame(as: sender.address) { return }
    for other in authors.dropFirst() { removed.insert(other) }
    if sender.name == nil, located.count == 1 {
      let range = located[0].range
      replace(
        index,
        value[..<range.lowerBound] + Array(sender.address.description.utf8) + value[range.upperBound...])
    } else {
      var writer = HeaderWriter(capacity: 128)
      writer.append("From", [sender])
      replacements[index] = writer.finished()
    }
    guard !located.isEmpty, !original.contains("reply-to") else { return }
    append(Array("Reply-To:".utf8) + value + [0x0D, 0x0A])
  }

  // MARK: Signatures

  /// Removes each DKIM-Signature that covers a field which is changed, removed or added, and returns them.
  ///
  /// Each is examined by itself. Of fields with the same name, a signature covers as many as it names, from the bottom up
  /// (RFC 6376, 5.4.2), so that another Received field at the top harms none.
  mutating func removeBrokenSignatures() -> [RemovedSignature] {
    let indices = Dictionary(grouping: original.fields.indices) { original.fields[$0].name }
    let all = indices[DKIMSignature.fieldName] ?? []
    var rest = all.filter { !removed.contains($0) }.map { (index: $0, signature: signature($0)) }
    guard !rest.isEmpty else { return [] }
    let top = fields(of: first)
    let added = fields(of: additions)
    var unchanged: [String: Int] = [:]
    func unchangedCount(_ name: String, in before: [Int]) -> Int {
      let new =
        (top[name] ?? []) + before.filter { !removed.contains($0) }.map(lines) + (added[name] ?? [])
      let same = zip(before.reversed(), new.reversed()).prefix { original.lines($0) == $1 }.count
      return same == before.count && same == new.count ? .max : same
    }
    for name in Set(rest.flatMap(\.signature.covered.keys)) where name != DKIMSignature.fieldName {
      unchanged[name] = unchangedCount(name, in: indices[name] ?? [])
    }
    var found: [RemovedSignature] = []
    // A signature may cover others, of which one is removed. With very many, all of those are removed instead of working
    // out which.
    let isExact = all.count <= EditedHeader.exactSignatures
    var hasChanged: Bool
    repeat {
      hasChanged = false
      for (index, signature) in rest {
        var broken = signature.covered.filter {
          $0.key != DKIMSignature.fieldName && $0.value > unchanged[$0.key] ?? 0
        }
        if let count = signature.covered[DKIMSignature.fieldName], !removed.isDisjoint(with: all),
          !isExact || count > unchangedCount(DKIMSignature.fieldName, in: all.filter { $0 != index })
        {
          broken[DKIMSignature.fieldName] = count
        }
        guard !broken.isEmpty else { continue }
        removed.insert(index)
        hasChanged = true
        found.append(RemovedSignature(domain: signature.domain, changed: broken.keys.sorted()))
      }
      rest.removeAll { removed.contains($0.index) }
    } while hasChanged && (isExact || rest.contains { $0.signature.covered[DKIMSignature.fieldName] != nil })
    return found
  }

  /// Up to how many signatures those that cover others are examined exactly, which takes the third power of their number.
  private static let exactSignatures = 32

  private func signature(_ index: Int) -> DKIMSignature {
    DKIMSignature(original.lines(index).dropFirst(original.fields[index].nameLength))
  }

  /// Removes all DKIM-Signatures, because the body is encoded again, and returns them.
  mutating func removeSignaturesOfBody() -> [RemovedSignature] {
    var found: [RemovedSignature] = []
    for index in original.fields.indices where original.fields[index].name == DKIMSignature.fieldName {
      guard removed.insert(index).inserted else { continue }
      found.append(RemovedSignature(domain: signature(index).domain, changed: ["body"]))
    }
    return found
  }

  /// Returns the fields in `bytes` by their names.
  private func fields(of bytes: [UInt8]) -> [String: [ArraySlice<UInt8>]] {
    var end = 0
    let header = bytes.withUnsafeBufferPointer { try? MailHeader(of: $0, syntax: .tolerant, bodyStart: &end) }
    guard let header else { return [:] }
    return Dictionary(grouping: header.fields.indices) { header.fields[$0].name }.mapValues {
      $0.map(header.lines)
    }
  }
}
