extension Dispatcher {
  /// Makes the attempts on a claimed mail, and settles it.
  ///
  /// `isProbe`: the first attempt shows whether its transport works again; `isAlone`: somebody waits for
  /// this mail and nothing else; `routeGeneration`: which of the routes `candidates` are of.
  func handOver(
    _ entry: OutboxEntry, _ known: OutboxContent?, over candidates: [DispatchTransport], isPartial: Bool, routeGeneration: Int,
    isProbe: Bool, isAlone: Bool
  ) async {
    var isSendExpected = true
    defer { if isSendExpected { adjustExpectedSends(-1, of: candidates.first) } }
    let content: OutboxContent
    do {
      content = try known ?? OutboxContent(sealing.open(entry.content ?? [], id: entry.id), id: entry.id)
    } catch {
      report(.unreadable(id: entry.id))
      let wait = options.heldRetry.wait(after: entry.attempts, jitter: dependencies.jitter())
      await settle(
        OutboxSettlement(
          entry, .retry(due: dependencies.now() + wait, content: nil), hold: .mail, now: dependencies.now()),
        isAlone: isAlone)
      return
    }
    var delivery = OutboxDelivery(entry, content, over: candidates.map(\.name), isPartial: isPartial, options: options)
    let now = dependencies.now
    while let (index, mail) = delivery.next() {
      let candidate = candidates[index]
      let mayBegin = await mayBegin(
        entry, through: candidate, lane: isProbe && index == 0 ? .code : entry.lane,
        wait: isAlone ? options.interactivePaceWaitLimit : options.paceWaitLimit)
      if index == 0 {
        isSendExpected = false
        adjustExpectedSends(-1, of: candidate)
      }
      guard mayBegin else { break }
      let began = dependencies.instant()
      // The attempt may have to wait for its turn among the transport's own threads.
      let receipt = await candidate.transport.send(mail) { entry.notAfter.map { $0 <= now() } ?? false }
      guard let receipt else { break }
      let took = dependencies.instant() - began
      delivery.record(receipt, duration: took)
      await recordAttempt(receipt, of: entry.id, through: candidate.name, took: took)
    }
    if isProbe, let candidate = candidates.first, stateCache[candidate.name].probe?.until == entry.lease?.until {
      // No attempt was made: another mail may be the one.
      await updateStates { $0[candidate.name]?.dropProbe(of: entry.lease) }
    }
    let settlement = delivery.settlement(
      at: dependencies.now(), jitter: dependencies.jitter(), usedStaleRoute: routeGeneration != currentRouteGeneration
    ) { sealing.seal($0.octets, id: entry.id) }
    await settle(settlement, isAlone: isAlone)
  }

  // MARK: Settling

  /// Takes down how it ended, however long the store refuses: a mail that was sent and isn't settled would
  /// be sent again. Where somebody waits for it there is an end to that.
  private func settle(_ settlement: OutboxSettlement, isAlone: Bool) async {
    var tries = 0
    while true {
      do throws(StorageError) {
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
        if error.kind == .closed || (isFinishing && tries > 3) || (isAlone && tries >= options.maxSettlementTries) {
          if isAlone { unsettled[settlement.id] = error }
          if settlement.outcome != nil { report(.unsettled(id: settlement.id, error)) }
          return
        }
        await dependencies.sleep(.seconds(1))
      }
    }
  }
}
