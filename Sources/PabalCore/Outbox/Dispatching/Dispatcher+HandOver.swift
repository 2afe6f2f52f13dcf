extension Dispatcher {
  /// Makes the attempts on a claimed mail, and settles it.
  ///
  /// `isProbe`: the first attempt shows whether its transport works again; `isAlone`: somebody waits for
  /// this mail and nothing else; `turn`: which of the routes `stops` are of.
  func handOver(
    _ entry: OutboxEntry, _ known: OutboxContent?, over stops: [DispatchStop], isPartial: Bool, turn: Int,
    isProbe: Bool, isAlone: Bool
  ) async {
    var isExpected = true
    defer { if isExpected { expect(-1, of: stops.first) } }
    let content: OutboxContent
    do {
      content = try known ?? OutboxContent(sealing.open(entry.content ?? [], id: entry.id), id: entry.id)
    } catch {
      report(.unreadable(id: entry.id))
      let wait = rules.heldRetry.wait(after: entry.attempts, chance: surroundings.chance())
      await settle(
        OutboxSettlement(
          entry, .retry(due: surroundings.now() + wait, content: nil), hold: .mail, now: surroundings.now()),
        isAlone: isAlone)
      return
    }
    var walk = Walk(entry, content, over: stops.map(\.name), isPartial: isPartial, rules: rules)
    let now = surroundings.now
    while let (index, mail) = walk.next() {
      let stop = stops[index]
      let mayBegin = await mayBegin(
        entry, through: stop, lane: isProbe && index == 0 ? .code : entry.lane,
        wait: isAlone ? rules.deliverWait : rules.paceWait)
      if index == 0 {
        isExpected = false
        expect(-1, of: stop)
      }
      guard mayBegin else { break }
      let began = surroundings.instant()
      // The attempt may have to wait for its turn among the transport's own threads.
      let receipt = await stop.transport.send(mail) { entry.notAfter.map { $0 <= now() } ?? false }
      guard let receipt else { break }
      let took = surroundings.instant() - began
      walk.record(receipt, took: took)
      await note(receipt, of: entry.id, through: stop.name, took: took)
    }
    if isProbe, let stop = stops.first, board[stop.name].probe?.until == entry.lease?.until {
      // No attempt was made: another mail may be the one.
      await share { $0[stop.name]?.dropProbe(of: entry.lease) }
    }
    let settlement = walk.settlement(
      at: surroundings.now(), chance: surroundings.chance(), isOvertaken: turn != routes
    ) { sealing.seal($0.octets, id: entry.id) }
    await settle(settlement, isAlone: isAlone)
  }

  // MARK: Settling

  /// Takes down how it ended, however long the store refuses: a mail that was sent and isn't settled would
  /// be sent again. Where somebody waits for it there is an end to that.
  private func settle(_ settlement: OutboxSettlement, isAlone: Bool) async {
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
        if error.kind == .closed || (isFinishing && tries > 3) || (isAlone && tries >= rules.maxSettlementTries) {
          if isAlone { unsettled[settlement.id] = error }
          if settlement.outcome != nil { report(.unsettled(id: settlement.id, error)) }
          return
        }
        await surroundings.sleep(.seconds(1))
      }
    }
  }
}
