extension Dispatcher {
  /// Makes the attempts on a claimed mail, and settles it; `isPaid` says that the first attempt's send is
  /// spent already.
  func handOver(
    _ entry: OutboxEntry, _ known: OutboxContent?, over stops: [DispatchStop], isPartial: Bool, isPaid: Bool
  ) async {
    let content: OutboxContent
    do {
      content = try known ?? OutboxContent(sealing.open(entry.content ?? [], id: entry.id), id: entry.id)
    } catch {
      report(.unreadable(id: entry.id))
      let wait = rules.held.wait(after: entry.attempts, chance: surroundings.chance())
      await settle(
        OutboxSettlement(
          entry, .again(due: surroundings.now() + wait, content: nil), hold: .mail, now: surroundings.now()))
      return
    }
    var walk = Walk(entry, content, over: stops.map(\.name), isPartial: isPartial, rules: rules)
    while let (index, mail) = walk.next(),
      await mayBegin(entry, through: stops[index], isPaid: isPaid && index == 0)
    {
      let began = surroundings.instant()
      let receipt = await stops[index].transport.send(mail)
      let took = surroundings.instant() - began
      walk.record(receipt, took: took)
      await note(receipt, of: entry.id, through: stops[index].name, took: took)
    }
    let settlement = walk.settlement(at: surroundings.now(), chance: surroundings.chance()) {
      sealing.seal($0.octets, id: entry.id)
    }
    await settle(settlement)
  }

  /// Spends a send of the transport, once there is one; says whether the attempt may begin.
  private func mayBegin(_ entry: OutboxEntry, through stop: DispatchStop, isPaid: Bool) async -> Bool {
    while true {
      let now = surroundings.now()
      if let notAfter = entry.notAfter, notAfter <= now { return false }
      guard !isPaid, let pace = rules.paces[stop.name] else { return true }
      let spentUntil = board[stop.name].spentUntil
      if pace.free(.code, spentUntil: spentUntil, at: now) > 0 {
        pay(stop, 1, at: now)
        return true
      }
      if isFinishing { return false }
      await surroundings.sleep(pace.next(.code, spentUntil: spentUntil, at: now) - now)
    }
  }

  /// Spends `count` sends of the transport, if it has a pace.
  @discardableResult
  func pay(_ stop: DispatchStop?, _ count: Int, at now: Timestamp) -> Bool {
    guard let stop, count > 0, let pace = rules.paces[stop.name] else { return false }
    publish { states in
      for _ in 0..<count { states[stop.name, default: TransportState()].spend(pace, at: now) }
    }
    return true
  }

  /// How many sends of `lane` its pace leaves the transport at `now`.
  func free(_ stop: DispatchStop, _ lane: Lane, at now: Timestamp) -> Int {
    rules.paces[stop.name]?.free(lane, spentUntil: board[stop.name].spentUntil, at: now) ?? .max
  }

  /// When the first transport that may be tried has a send again, where its pace has none now.
  func pacedUntil() -> Timestamp? {
    let now = surroundings.now()
    guard let stop = route().first(where: { board[$0.name].permission(at: now) == .open }),
      let pace = rules.paces[stop.name], free(stop, .normal, at: now) == 0
    else { return nil }
    let lane: Lane = free(stop, .code, at: now) == 0 ? .code : .normal
    return pace.next(lane, spentUntil: board[stop.name].spentUntil, at: now)
  }

  // MARK: What is known of transports

  private func note(_ receipt: Receipt, of id: String, through name: String, took: Duration) async {
    report(
      .attempted(
        id: id, transport: name, outcome: receipt.outcome, status: replyStatus(receipt.reply), took: took))
    let now = surroundings.now()
    let reply = receipt.reply ?? receipt.recipients.first { $0.outcome == receipt.outcome }?.reply
    var cause: [UInt8]?
    if case .held(.transport, _) = receipt.outcome, let reply {
      cause = sealing.seal(Array(reply.utf8), id: TransportState.sealID(name))
    }
    let before = board[name]
    var after = before
    after.record(receipt.outcome, at: now, by: rules, cause: cause)
    guard after != before else { return }
    if before.heldSince == nil, after.heldSince != nil { report(.held(transport: name, cause: reply)) }
    if before.heldSince != nil, after.heldSince == nil { report(.restored(transport: name)) }
    let (outcome, rules, sealed) = (receipt.outcome, rules, cause)
    await share { $0[name, default: TransportState()].record(outcome, at: now, by: rules, cause: sealed) }
  }

  /// Makes a change here at once, and in the outbox for all processes.
  func share(_ change: @escaping TransportBoard.Change) async {
    let number = board.begin(change)
    do throws(StorageProblem) {
      board.end(number, try await outbox.transports(change))
    } catch {
      board.end(number, nil)
      report(.storage(error))
    }
  }

  /// The same without waiting: a mail is not kept back for it.
  private func publish(_ change: @escaping TransportBoard.Change) {
    let number = board.begin(change)
    Task {
      do throws(StorageProblem) {
        board.end(number, try await outbox.transports(change))
      } catch {
        board.end(number, nil)
        report(.storage(error))
      }
    }
  }

  // MARK: Settling

  /// Takes down how it ended, however long the store refuses: a mail that was sent and isn't settled would
  /// be sent again.
  private func settle(_ settlement: OutboxSettlement) async {
    var tries = 0
    while true {
      do throws(StorageProblem) {
        let settled = try await outbox.settle([settlement])
        if let entry = settled.first ?? nil {
          report(.settled(entry))
        } else {
          report(.lost(id: settlement.id))
        }
        return
      } catch {
        report(.storage(error))
        tries += 1
        if error.kind == .closed || (isFinishing && tries > 3) { return }
        await surroundings.sleep(.seconds(1))
      }
    }
  }
}

extension TransportState {
  /// The id under which the cause of a transport's being held is sealed.
  package static func sealID(_ name: String) -> String { "transport \(name)" }
}
