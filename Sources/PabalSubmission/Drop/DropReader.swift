import Glibc
package import PabalCore

/// Queues the mail that `pabal sendmail` left in the drop directory while `pabal serve` wasn't running.
///
/// A file's name is the id of its mail in the outbox, and the file is removed after the commit. After a crash between
/// the two, the mail is read again, and the outbox ignores it because it knows the id.
package struct DropReader: Sendable {
  /// What the reader reports.
  package enum Event: Sendable, Hashable {
    /// A mail was queued.
    case queued(id: String, submitter: Submitter, recipients: Int, bytes: Int)
    /// A mail was refused for good; its file is in the directory `refused`.
    case refused(id: String, submitter: Submitter, reply: SMTPReply)
    /// A refused mail is reported to its sender.
    case reported(id: String, report: String, recipients: Int)
    /// A mail waits in the directory, and others with it, because it can't be queued now.
    case delayed(id: String, reply: SMTPReply)
    /// An entry of the directory isn't used.
    case unusable(name: String, problem: String)
    /// The directory isn't used.
    case closed(problem: String)
  }

  /// Queues a mail under the id; a mail whose id is known already counts as queued.
  package typealias Submit = @Sendable (SMTPSubmission, _ id: String) async -> SMTPSubmissionResult

  /// Reports to the sender of a mail that it is refused for good.
  package typealias ReportRefusal =
    @Sendable (
      RefusedBatch, _ id: String, Submitter, SMTPReply
    ) async -> RefusalReport

  private let path: String
  private let policy: @Sendable () -> SMTPSessionPolicy
  private let now: @Sendable () -> Timestamp
  private let submit: Submit
  private let reportRefusal: ReportRefusal?
  private let report: @Sendable (Event) -> Void

  /// Files that are read at the same time, so that they share a commit.
  private static let batchCount = 32
  /// The size of files that are read at the same time, except for a single larger one.
  private static let batchSize = 16 << 20
  /// The maximum number of files of one round, which bounds its memory.
  private static let roundLimit = 2_000
  /// The maximum number of files that are remembered because they can't be read or removed.
  private static let memoryLimit = 100_000
  /// The space for the envelope of a mail of the maximum size.
  private static let envelopeSize = 1 << 20
  /// How often a delay is reported while it lasts, in milliseconds.
  private static let delayInterval = 600_000
  /// How long the mail of a user whose limit is reached isn't tried, in milliseconds.
  private static let limitedTime = 30_000
  /// After how many seconds an incomplete file is reported.
  private static let incompleteTime = 3_600

  /// A reader of the directory at `path`, which doesn't have to exist.
  package init(
    _ path: String, policy: @escaping @Sendable () -> SMTPSessionPolicy,
    now: @escaping @Sendable () -> Timestamp = Timestamp.now, submit: @escaping Submit,
    reportRefusal: ReportRefusal? = nil,
    report: @escaping @Sendable (Event) -> Void
  ) {
    self.path = path
    self.policy = policy
    self.now = now
    self.submit = submit
    self.reportRefusal = reportRefusal
    self.report = report
  }

  /// What a reader remembers between rounds.
  package struct State: Sendable {
    /// What was reported, so that it is reported once.
    fileprivate var reported: Set<String> = []
    /// Files whose mail is queued but which couldn't be removed.
    fileprivate var finished: Set<String> = []
    /// Files that this process may not read, each with when it last changed.
    fileprivate var denied: [String: Int] = [:]
    fileprivate var published: PublishedLimits?
    fileprivate var lastScan = 0
    fileprivate var lastChange = 0
    fileprivate var closedReason: String?
    fileprivate var needsScan = true
    fileprivate var delay = 0
    /// When a delay was last reported, in milliseconds since 1970.
    fileprivate var delayReported = 0
    /// The users whose limits are reached, each with when its mail is tried again, and when that was last reported, in
    /// milliseconds since 1970.
    fileprivate var limited: [uid_t: (until: Int, reported: Int)] = [:]

    /// Whether the mail of a user waits for its limit.
    fileprivate func isLimited(_ user: uid_t, at now: Int) -> Bool {
      limited[user].map { now < $0.until } ?? false
    }

    /// The state before the first round.
    package init() {}

    /// The seconds until the next round.
    package var pause: Int { max(1, delay) }

    /// Whether something is remembered about a file.
    fileprivate func knows(_ name: String) -> Bool {
      reported.contains(name) || finished.contains(name) || denied[name] != nil
    }

    /// Forgets the files that aren't in `names`.
    fileprivate mutating func forget(except names: Set<String>) {
      reported.formIntersection(names)
      finished.formIntersection(names)
      denied = denied.filter { names.contains($0.key) }
    }

    /// Whether something is reported for the first time. The memory for it is bounded.
    fileprivate mutating func isNew(_ key: String) -> Bool {
      if reported.count >= 10_000 { return false }
      return reported.insert(key).inserted
    }
  }

  /// Reads the directory until the task is cancelled, once a second if there is nothing to do.
  package func run() async {
    var state = State()
    while !Task.isCancelled {
      await round(&state)
      try? await Task.sleep(for: .seconds(state.pause))
    }
  }

  /// Queues the mail that is in the directory, at most ``roundLimit`` files.
  package func round(_ state: inout State) async {
    state.delay = 0
    do throws(DropDirectory.Failure) {
      guard let directory = try DropDirectory.open(path) else { return }
      state.closedReason = nil
      publish(in: directory, &state)
      let start = now().milliseconds
      // An entry that was added in the tick of the clock of the last scan may have been missed.
      // A clock that was set back makes the time of a change smaller than that of an earlier scan.
      guard
        state.needsScan || directory.changed != state.lastChange
          || directory.changed / 1_000_000 >= state.lastScan - 1_000
      else { return }
      let files = try scan(directory, &state)
      (state.lastScan, state.lastChange) = (Int(start), directory.changed)
      // Even a directory full of useless entries takes only a part of the time.
      state.delay = Int(now().milliseconds - start) / 100
      try await queue(files, in: directory, &state)
    } catch {
      state.delay = 10
      if state.closedReason != error.reason { report(.closed(problem: error.reason)) }
      state.closedReason = error.reason
    }
  }

  /// Publishes the limits after they have changed.
  private func publish(in directory: borrowing DropDirectory, _ state: inout State) {
    let policy = policy()
    let limits = PublishedLimits(size: policy.maxSize, recipients: policy.maxRecipients)
    guard state.published != limits else { return }
    state.published = limits
    do throws(DropDirectory.Failure) {
      try directory.publish(limits)
    } catch {
      report(.unusable(name: PublishedLimits.name, problem: error.reason))
    }
  }

  /// Returns the complete files, the oldest first, at most ``roundLimit``.
  private func scan(
    _ directory: borrowing DropDirectory, _ state: inout State
  ) throws(DropDirectory.Failure) -> [DropDirectory.File] {
    var files: [DropDirectory.File] = []
    var known: Set<String> = []
    let time = Int(now().milliseconds)
    state.needsScan = false
    // Every entry is looked at, and only complete files are kept, so that none takes the place of a mail.
    try directory.forEachName { name in
      defer { if state.knows(name) { known.insert(name) } }
      guard !state.finished.contains(name) else { return }
      switch directory.entry(name) {
      // Its mail takes the places of no other's.
      case .complete(let file) where state.isLimited(file.owner, at: time): state.needsScan = true
      case .complete(let file) where state.denied[name] == file.changed:
        // A change of the mode or the owner of the file doesn't show in the time of the directory.
        state.needsScan = true
      case .complete(let file):
        files.append(file)
        if files.count >= 4 * DropReader.roundLimit { keepOldest(&files, &state) }
      case .incomplete(let changed):
        // Completion changes the mode of the file, which the time of the directory doesn't show.
        state.needsScan = true
        if time / 1_000 - changed > DropReader.incompleteTime, state.isNew(name) {
          report(.unusable(name: name, problem: "it isn't complete, and its writer has probably died"))
        }
      case .unusable(let problem):
        if state.isNew(name) { report(.unusable(name: printable(name), problem: problem)) }
      case .gone: break
      }
    }
    keepOldest(&files, &state)
    // What is gone is forgotten, so that what was reported of it doesn't keep new reports out.
    state.forget(except: known)
    return files
  }

  /// Sorts the files by age, and leaves those beyond a round for the next one.
  private func keepOldest(_ files: inout [DropDirectory.File], _ state: inout State) {
    files.sort { $0.name < $1.name }
    guard files.count > DropReader.roundLimit else { return }
    files.removeLast(files.count - DropReader.roundLimit)
    state.needsScan = true
  }

  private func queue(
    _ files: [DropDirectory.File], in directory: borrowing DropDirectory, _ state: inout State
  ) async throws(DropDirectory.Failure) {
    let policy = policy()
    let limit = policy.maxSize + DropReader.envelopeSize
    var rest = files[...]
    while !rest.isEmpty, !Task.isCancelled {
      var mails: [(name: String, content: DropDirectory.Content)] = []
      var size = 0
      while mails.count < DropReader.batchCount, let file = rest.first,
        mails.isEmpty || size + file.size <= DropReader.batchSize
      {
        rest.removeFirst()
        if state.isLimited(file.owner, at: Int(now().milliseconds)) {
          state.needsScan = true
          continue
        }
        if file.size > limit {
          let reply = SMTPReply(552, "5.3.4", "The file is larger than \(limit) bytes")
          let start = try? directory.read(file, atMost: DropReader.envelopeSize, isPart: true)
          try await refuse(file.name, start, reply, in: directory, &state)
          continue
        }
        do throws(DropDirectory.Failure) {
          guard let content = try directory.read(file, atMost: limit) else {
            state.needsScan = true
            continue
          }
          mails.append((file.name, content))
          size += file.size
        } catch {
          state.needsScan = true
          if error.isDenied, state.denied.count < DropReader.memoryLimit {
            state.denied[file.name] = file.changed
          }
          if state.isNew(file.name) { report(.unusable(name: file.name, problem: error.reason)) }
        }
      }
      let contents = Dictionary(mails.map { ($0.name, $0.content) }) { $1 }
      for (name, submitter, result) in await submitted(mails, policy) {
        let owner = mails.first { $0.name == name }?.content.owner
        switch result {
        case .queued(let recipients, let bytes):
          report(.queued(id: name, submitter: submitter, recipients: recipients, bytes: bytes))
          do throws(DropDirectory.Failure) {
            try directory.remove(name)
          } catch {
            state.finished.insert(name)
            if state.isNew(name) {
              report(.unusable(name: name, problem: "can't remove it: \(error.reason)"))
            }
          }
        case .refused(let reply) where reply.status == SMTPReply.limitedStatus:
          guard let owner else { break }
          state.needsScan = true
          let now = Int(now().milliseconds)
          let reported = state.limited[owner]?.reported ?? 0
          let isReported = 0..<DropReader.delayInterval ~= now - reported
          state.limited[owner] = (now + DropReader.limitedTime, isReported ? reported : now)
          if !isReported { report(.delayed(id: name, reply: reply)) }
        case .refused(let reply) where reply.code < 500:
          delay(name, reply, &state)
        case .refused(let reply):
          try await refuse(name, contents[name], reply, in: directory, &state)
        }
      }
      // What stopped one mail, such as a full disk, would stop the others too.
      if state.delay >= 30 { return }
      state.delayReported = 0
    }
  }

  /// Submits the mails at the same time, in the order of their names.
  private func submitted(
    _ mails: [(name: String, content: DropDirectory.Content)], _ policy: SMTPSessionPolicy
  ) async -> [(String, Submitter, SMTPBatch.Result)] {
    await withTaskGroup(of: (String, Submitter, SMTPBatch.Result).self) { group in
      for mail in mails {
        let submitter = Submitter.local(LocalPeer(uid: mail.content.owner).name)
        group.addTask {
          let result = await SMTPBatch.run(mail.content.bytes, policy, submitter: submitter) {
            await submit($0, mail.name)
          }
          return (mail.name, submitter, result)
        }
      }
      var results: [(String, Submitter, SMTPBatch.Result)] = []
      for await result in group { results.append(result) }
      return results.sorted { $0.0 < $1.0 }
    }
  }

  /// Leaves a mail in the directory that can't be queued now.
  private func delay(_ name: String, _ reply: SMTPReply, _ state: inout State) {
    (state.needsScan, state.delay) = (true, 30)
    let now = Int(now().milliseconds)
    guard !(0..<DropReader.delayInterval ~= now - state.delayReported) else { return }
    state.delayReported = now
    report(.delayed(id: name, reply: reply))
  }

  /// Reports a refused mail to its sender, and moves it aside. It stays if the report can't be stored now.
  private func refuse(
    _ name: String, _ content: DropDirectory.Content?, _ reply: SMTPReply,
    in directory: borrowing DropDirectory,
    _ state: inout State
  ) async throws(DropDirectory.Failure) {
    let submitter = Submitter.local(content.map { LocalPeer(uid: $0.owner).name } ?? "?")
    if let content, let reportRefusal, let batch = RefusedBatch(content.bytes, host: policy().hostName) {
      switch await reportRefusal(batch, name, submitter, reply) {
      case .queued(let id, let recipients):
        report(.reported(id: name, report: id, recipients: recipients))
      case .none: break
      case .failed(let reply): return delay(name, reply, &state)
      }
    }
    do throws(DropDirectory.Failure) {
      try directory.moveAside(name)
      report(.refused(id: name, submitter: submitter, reply: reply))
    } catch {
      // Left in place, and not read again by this process.
      state.finished.insert(name)
      let problem = "\(reply.line); it can't be moved aside: \(error.reason)"
      if state.isNew(name) { report(.unusable(name: name, problem: problem)) }
    }
  }
}

extension SMTPReply {
  /// The reply on one line.
  package var line: String { ([String(code), status].compactMap(\.self) + text).joined(separator: " ") }
}
