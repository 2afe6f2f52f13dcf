// Deliveries: the attempts on a claimed mail, and its settlement.
extension Dispatcher {
  // MARK: One mail

  /// Makes one attempt on the waiting mail `id`, whether its transports are ready or not, and returns the mail
  /// afterwards; `nil` if it doesn't exist.
  ///
  /// Makes no attempt if another process has the mail, if it isn't due, or if the transport's next send is
  /// further away than `DispatcherOptions.interactivePaceWaitLimit`. Throws if the outcome of the attempt could
  /// not be stored, which is reported as `unsettled`, too.
  public func deliver(_ id: String) async throws(StorageError) -> OutboxEntry? {
    let now = dependencies.now()
    let claimed = try await outbox.claim(OutboxClaim(lease(from: now), now: now, limit: 1, id: id))
    if let entry = claimed.first, let error = await attempt(entry, nil) { throw error }
    return try await outbox.read(OutboxQuery(ids: [id], withContent: true)).entries.first
  }

  /// Makes one attempt on a mail that was added with `lease()`. Returns when the attempt is settled or was
  /// reported as `unsettled`.
  public func deliver(_ entry: OutboxEntry, _ mail: Mail) async {
    _ = await attempt(entry, OutboxContent(mail))
  }

  /// Returns a lease for a mail that the caller adds and then delivers.
  public func lease() -> OutboxEntry.Lease { lease(from: dependencies.now()) }

  private func attempt(_ entry: OutboxEntry, _ content: OutboxContent?) async -> StorageError? {
    await refreshStates()
    let available = AvailableRoute(
      interactive: routes().transports(of: entry.route), generation: routeChange.generation, for: entry.lane,
      at: dependencies.now(),
      health, rateLimiter)
    let error = await start(entry, content, over: available, .interactive).value
    // Swept here because `pabal serve`, which sweeps otherwise, may not be running.
    do throws(StorageError) {
      _ = try await outbox.sweep(OutboxSweep(now: dependencies.now(), owner: owner, options: options))
    } catch {
      report(.storage(error))
    }
    return error
  }

  // MARK: Attempts

  /// Makes the attempts on a claimed mail and settles it. Returns the error if the settlement could not be stored.
  func deliver(_ delivery: OutboxDelivery, _ content: OutboxContent?) async -> StorageError? {
    var delivery = delivery
    let (entry, now) = (delivery.entry, dependencies.now)
    defer { endExpectedSend(of: delivery.takeExpectedSend()) }
    do {
      try delivery.open(content, sealing)
    } catch {
      report(.unreadable(id: entry.id))
      return await settle(
        delivery.unreadableSettlement(at: now(), jitter: dependencies.jitter()), delivery.mode)
    }
    if entry.lane == .bulk, await !withhold(&delivery) {
      return await settle(delivery.postponedSettlement(at: now()), delivery.mode)
    }
    while let (transport, mail, lane) = delivery.next() {
      let mayBegin = await acquireSend(of: transport, lane, for: entry, delivery.mode)
      endExpectedSend(of: delivery.takeExpectedSend())
      guard mayBegin else { break }
      let start = dependencies.instant()
      // The closure is called when the attempt begins, because it may wait for one of the transport's threads.
      let receipt = await transport.transport.send(mail) { entry.notAfter.map { $0 <= now() } ?? false }
      guard let receipt else { break }
      let duration = dependencies.instant() - start
      delivery.record(receipt, duration: duration)
      await record(receipt, of: mail, entry, through: transport.name, duration)
    }
    if delivery.mode == .probe, let probed = delivery.route.first?.name,
      health[probed].probe?.until == entry.lease?.until
    {
      // No attempt was made, so another mail may probe the transport.
      await updateStates { $0[probed]?.dropProbe(of: entry.lease) }
    }
    if entry.lane != .bulk { await reportSuppressed(delivery) }
    var settlement = delivery.settlement(
      at: now(), jitter: dependencies.jitter(),
      usedStaleRoute: delivery.route.generation != routeChange.generation,
      reporter: DeliveryReporter(
        options.reports, retries: options.otherRetry.maxAge, identity: dependencies.identity, sealing),
      sealing)
    settlement.marks = delivery.marks(at: now(), sealing)
    if let trace = dependencies.trace { settlement.trace = delivery.trace(trace) }
    return await settle(settlement, delivery.mode)
  }

  /// Decides the recipients on the suppression list. Returns `false` if the list can't be read; then no
  /// recipient may get the mail yet.
  private func withhold(_ delivery: inout OutboxDelivery) async -> Bool {
    guard let list = dependencies.suppression else { return true }
    do throws(StorageError) {
      let suppressed = try await list.suppressed(delivery.pendingRecipients)
      guard !suppressed.isEmpty else { return true }
      delivery.withhold(suppressed)
      report(
        .suppressed(
          id: delivery.entry.id, lane: delivery.entry.lane, recipients: suppressed.count, isWithheld: true))
      return true
    } catch {
      report(.storage(error))
      return false
    }
  }

  /// Reports recipients that got a mail although they are on the suppression list, because it isn't bulk mail.
  private func reportSuppressed(_ delivery: OutboxDelivery) async {
    let sent = delivery.sentRecipients
    guard let list = dependencies.suppression, !sent.isEmpty else { return }
    do throws(StorageError) {
      let suppressed = try await list.suppressedUnlessEmpty(sent, at: dependencies.instant())
      guard !suppressed.isEmpty else { return }
      report(
        .suppressed(
          id: delivery.entry.id, lane: delivery.entry.lane, recipients: suppressed.count, isWithheld: false))
    } catch {
      report(.storage(error))
    }
  }

  /// Acquires a send of the transport's pace, waiting for it within limits. Returns whether the attempt may begin.
  private func acquireSend(
    of transport: DispatchTransport, _ lane: Lane, for entry: OutboxEntry, _ mode: OutboxDelivery.Mode
  ) async -> Bool {
    var remaining = mode == .interactive ? options.interactivePaceWaitLimit : options.paceWaitLimit
    while true {
      let now = dependencies.now()
      if let notAfter = entry.notAfter, notAfter <= now { return false }
      guard let pace = rateLimiter[transport.name] else { return true }
      switch await acquireSend(of: transport.name, pace, lane) {
      case .acquired: return true
      case .unavailable: return false
      case .notBefore(let moment):
        let wait = moment - now
        let isTooLate = entry.notAfter.map { $0 <= moment } ?? false
        let isReturned = isFinishing || wait > remaining || isTooLate
        report(.paced(id: entry.id, transport: transport.name, until: moment, isReturned: isReturned))
        if isReturned { return false }
        remaining = remaining - wait
        await dependencies.sleep(max(wait, .milliseconds(1)))
      }
    }
  }

  /// Reports an attempt and records it in the state of its transport.
  private func record(
    _ receipt: Receipt, of mail: Mail, _ entry: OutboxEntry, through name: String, _ duration: Duration
  ) async {
    let cause = receipt.failureCause(mail.envelope)
    report(
      .attempted(
        id: entry.id, transport: name, outcome: receipt.outcome, status: replyStatus(receipt.reply),
        cause: cause, took: duration))
    let change = health.change(
      recording: receipt, isReport: entry.reporting == .report, cause: cause, through: name,
      at: dependencies.now(), options)
    if let change { await updateStates(change) }
  }

  /// Stores the settlement, retrying while the store refuses, because a mail that was sent and isn't settled would
  /// be sent again. Returns the last error if it gave up: the store is closed, the process ends, or a caller waits.
  private func settle(
    _ settlement: OutboxSettlement, _ mode: OutboxDelivery.Mode
  ) async -> StorageError? {
    var tries = 0
    while true {
      do throws(StorageError) {
        let settled = try await outbox.settle([settlement])
        if let entry = settled.first ?? nil {
          report(.settled(entry))
          for sent in settlement.reports {
            report(
              .reported(
                id: entry.id, report: sent.entry.id, action: sent.action.rawValue, recipients: sent.recipients
              ))
          }
          if !settlement.reports.isEmpty { signalWork() }
        } else {
          report(.lost(id: settlement.id))
        }
        return nil
      } catch {
        report(.storage(error))
        tries += 1
        if error.kind == .closed || (isFinishing && tries > 3)
          || (mode == .interactive && tries >= options.maxSettlementTries)
        {
          if settlement.outcome != nil { report(.unsettled(id: settlement.id, error)) }
          return error
        }
        await dependencies.sleep(.seconds(1))
      }
    }
  }
}

extension Receipt {
  /// Why the attempt failed through no fault of a recipient (`FailureCause`); `nil` if it didn't, or gave no reason.
  fileprivate func failureCause(_ envelope: Envelope) -> String? {
    switch outcome {
    case .sent, .rejected: return nil
    case .unsuited, .deferred, .held, .unknown:
      let reply = reply ?? recipients.first { $0.outcome == outcome }?.reply
      return FailureCause.redacted(reply, envelope: envelope)
    }
  }
}
