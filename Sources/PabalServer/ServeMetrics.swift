import Glibc
import PabalAccounts
import PabalCommand
import PabalCore
import PabalHTTP

/// What `pabal serve` counts while it runs; of what comes from callers only so many values have a name.
final class ServeMetrics: Sendable {
  struct Attempt: Hashable {
    let transport: String
    let outcome: String
  }

  struct EndedMail: Hashable {
    let lane: Lane
    let state: OutboxState
  }

  struct Request: Hashable {
    let route: String
    let method: String
    let status: Int
  }

  /// What verifications are told apart by.
  struct VerificationKind: Hashable {
    let purpose: String
    let language: String
  }

  let startTime = Timestamp.now()
  let attempts = LabelledCounter<Attempt>()
  let attemptTimes = LabelledHistogram<String>(
    bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30])
  let ended = LabelledCounter<EndedMail>()
  let sentTimes = LabelledHistogram<Lane>(
    bounds: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600])
  let starts = LabelledCounter<VerificationKind>()
  let approvals = LabelledCounter<VerificationKind>()
  let approvalTimes = LabelledHistogram<String>(bounds: [5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600])
  let resends = LabelledCounter<VerificationKind>()
  let notices = LabelledCounter<VerificationKind>()
  let checks = LabelledCounter<VerificationOutcome>()
  let limits = LabelledCounter<VerificationLimit>()
  let requests = LabelledCounter<Request>()
  let requestTimes = LabelledHistogram<String>(
    bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30])
  private let purposes = LabelLimiter()
  private let languages = LabelLimiter()

  /// Counts what the dispatcher reports.
  func handle(_ event: DispatcherEvent) {
    switch event {
    case .attempted(_, let transport, let outcome, _, let took):
      attempts.add(Attempt(transport: transport, outcome: outcome.name))
      attemptTimes.add(transport, took)
    case .settled(let entry):
      guard entry.state.isFinal else { return }
      ended.add(EndedMail(lane: entry.lane, state: entry.state))
      if entry.state == .sent, let moment = entry.ended { sentTimes.add(entry.lane, moment - entry.created) }
    case .paced, .held, .restored, .expedited, .codesDelayed, .lost, .unreadable, .unsettled, .storage: break
    }
  }

  /// Counts what the HTTP service reports.
  func handle(_ event: HTTPEvent) {
    switch event {
    case .answered(let route, let method, let status, _, let took):
      requests.add(Request(route: route, method: ServeMetrics.methodLabel(method), status: status))
      requestTimes.add(route, took)
    case .started(let purpose, let language, let isNotice):
      (isNotice ? notices : starts).add(kind(purpose, language))
    case .resent(let purpose, let language): resends.add(kind(purpose, language))
    case .checked(let outcome, let purpose, let language, let after):
      checks.add(outcome)
      guard outcome == .approved else { return }
      let kind = kind(purpose, language)
      approvals.add(kind)
      approvalTimes.add(kind.purpose, after)
    case .limited(let limit): limits.add(limit)
    // The answer's status is counted.
    case .failed: break
    }
  }

  private func kind(_ purpose: String, _ language: String?) -> VerificationKind {
    VerificationKind(purpose: purposes.value(purpose), language: languages.value(language ?? ""))
  }

  private static func methodLabel(_ method: String) -> String {
    switch method {
    case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS": method
    default: LabelLimiter.other
    }
  }
}

extension ServeMetrics {
  /// All of it as Prometheus reads it, with what `runtime` is like now.
  func text(_ runtime: ServeRuntime) async -> MetricsText {
    let snapshot = runtime.snapshot
    var text = MetricsText()
    await addOutbox(runtime, to: &text)
    addMail(snapshot, to: &text)
    addTransports(await runtime.dispatcher.conditions(), to: &text)
    addVerifications(to: &text)
    addRequests(to: &text)
    await addAccounts(snapshot.tokenSources.compactMap { $0 as? OAuthAccount }, to: &text)
    addConfiguration(runtime.health, to: &text)
    addProcess(to: &text)
    return text
  }

  private func addOutbox(_ runtime: ServeRuntime, to text: inout MetricsText) async {
    let now = Timestamp.now()
    // A store that can't be read says nothing, and not that there is nothing.
    let backlog = try? await runtime.storage.outbox.read(OutboxQuery(limit: 0, withBacklog: true)).backlog
    text.gauge(
      "pabal_storage_up", "Whether the store could be read for this.", [([], backlog == nil ? 0 : 1)])
    text.gauge(
      "pabal_outbox_waiting_mails", "Mails that wait to be handed over.",
      backlog.map { backlog in
        Lane.allCases.map { ([("lane", $0.rawValue)], Double(backlog.waiting[$0]?.count ?? 0)) }
      } ?? [])
    text.gauge(
      "pabal_outbox_oldest_waiting_seconds", "How long the oldest of them has waited.",
      backlog.map { backlog in
        Lane.allCases.map { lane in
          let age = backlog.waiting[lane].map { max(now - $0.oldest, .zero).seconds }
          return ([("lane", lane.rawValue)], age ?? 0)
        }
      } ?? [])
    text.gauge(
      "pabal_outbox_sending_mails", "Mails that are being handed over.",
      backlog.map { [([], Double($0.sending))] } ?? [])
  }

  private func addMail(_ snapshot: RuntimeSnapshot, to text: inout MetricsText) {
    let outcomes = ["sent", "deferred", "unsuited", "rejected", "held", "unknown"]
    text.counter(
      "pabal_attempts_total", "Attempts to hand a mail over.", attempts,
      zero: snapshot.route.names.flatMap { name in outcomes.map { Attempt(transport: name, outcome: $0) } }
    ) { [("transport", $0.transport), ("outcome", $0.outcome)] }
    text.histogram("pabal_attempt_duration_seconds", "How long attempts took.", attemptTimes) {
      [("transport", $0)]
    }
    text.counter(
      "pabal_mails_ended_total", "Mails that reached a final state here.", ended,
      zero: OutboxState.allCases.filter(\.isFinal).map { EndedMail(lane: .code, state: $0) }
    ) { [("lane", $0.lane.rawValue), ("state", $0.state.rawValue)] }
    text.histogram(
      "pabal_mail_sent_seconds", "From a mail's being accepted to its being sent.", sentTimes
    ) { [("lane", $0.rawValue)] }
  }

  private func addTransports(_ conditions: [TransportCondition], to text: inout MetricsText) {
    text.gauge(
      "pabal_transport_held", "Whether an account or the set-up keeps mail from leaving by it.",
      conditions.map { ([("transport", $0.name)], $0.heldSince == nil ? 0 : 1) })
    text.gauge(
      "pabal_transport_state", "Its breaker: 1 for the state it is in, 0 for the others.",
      conditions.flatMap { condition in
        TransportCondition.Availability.allCases.map { state in
          (
            [("transport", condition.name), ("state", state.rawValue)],
            condition.availability == state ? 1 : 0
          )
        }
      })
    text.gauge(
      "pabal_transport_failures", "Attempts in a row that failed by its fault.",
      conditions.map { ([("transport", $0.name)], Double($0.failures)) })
  }

  private func addVerifications(to text: inout MetricsText) {
    func labels(_ kind: VerificationKind) -> MetricsText.Labels {
      [("purpose", kind.purpose), ("language", kind.language)]
    }
    // A kind that was never approved is a conversion of 0, not none.
    let kinds = Array(starts.counts.keys)
    text.counter(
      "pabal_verifications_started_total", "Verifications started, notices left out.", starts,
      labels: labels)
    text.counter(
      "pabal_verifications_approved_total", "Verifications whose code was typed.", approvals, zero: kinds,
      labels: labels)
    text.counter(
      "pabal_verifications_resent_total", "Codes sent again.", resends, zero: kinds, labels: labels)
    text.counter(
      "pabal_verification_notices_total", "Starts that sent a notice instead of a code.", notices,
      labels: labels)
    text.histogram(
      "pabal_verification_approval_seconds", "From a start to its approval.", approvalTimes
    ) { [("purpose", $0)] }
    text.counter(
      "pabal_verification_checks_total", "Codes that were checked.", checks,
      zero: VerificationOutcome.allCases
    ) { [("outcome", $0.rawValue)] }
    text.counter(
      "pabal_verification_limits_total", "Requests that came up against a limit.", limits,
      zero: VerificationLimit.allCases
    ) { [("limit", $0.rawValue)] }
  }

  private func addRequests(to text: inout MetricsText) {
    text.counter("pabal_http_requests_total", "Requests answered.", requests) {
      [("route", $0.route), ("method", $0.method), ("status", "\($0.status)")]
    }
    text.histogram("pabal_http_request_duration_seconds", "How long the answers took.", requestTimes) {
      [("route", $0)]
    }
  }

  private func addAccounts(_ accounts: [OAuthAccount], to text: inout MetricsText) async {
    let threads = WorkerThreads(count: 1)
    // Reads files.
    let states = await threads.run { accounts.map { ($0.name, $0.status(), $0.needsAttention) } }
    threads.stop()
    text.gauge(
      "pabal_account_state", "An account's login: 1 for the state it is in, 0 for the others.",
      states.flatMap { name, status, _ in
        [AccountStatus.State.fresh, .expiring, .dead].map { state in
          ([("account", name), ("state", state.rawValue)], status.state == state ? 1 : 0)
        }
      })
    text.gauge(
      "pabal_account_needs_attention", "Whether somebody has to look after the account.",
      states.map { ([("account", $0.0)], $0.2 ? 1 : 0) })
    text.gauge(
      "pabal_account_token_expiry_timestamp_seconds", "When the access token ends; it is renewed before.",
      states.compactMap { name, status, _ in
        status.accessTokenExpiry.map { ([("account", name)], Double($0.seconds)) }
      })
    text.gauge(
      "pabal_account_login_expiry_timestamp_seconds", "When the login ends, where the server said so.",
      states.compactMap { name, status, _ in
        status.refreshTokenExpiry.map { ([("account", name)], Double($0.seconds)) }
      })
  }

  private func addConfiguration(_ health: ConfigurationHealth, to text: inout MetricsText) {
    text.gauge(
      "pabal_config_last_reload_successful", "Whether the configuration is in use as its file is now.",
      [([], health.isCurrent ? 1 : 0)])
    text.gauge(
      "pabal_config_last_reload_success_timestamp_seconds", "When the configuration in use was read.",
      [([], health.loadedAt.seconds)])
  }

  private func addProcess(to text: inout MetricsText) {
    let statistics = ProcessStatistics()
    func one(_ value: Double?) -> [(MetricsText.Labels, Double)] { value.map { [([], $0)] } ?? [] }
    text.gauge("pabal_build_info", "The version.", [([("version", pabalVersion)], 1)])
    text.gauge("process_start_time_seconds", "When it started.", one(startTime.seconds))
    text.counter("process_cpu_seconds_total", "Processor time.", one(statistics.processor))
    text.gauge("process_resident_memory_bytes", "Memory in use.", one(statistics.resident))
    text.gauge("process_virtual_memory_bytes", "Address space.", one(statistics.virtual))
    text.gauge("process_open_fds", "Open descriptors.", one(statistics.descriptors))
    text.gauge("process_max_fds", "How many may be open.", one(statistics.descriptorLimit))
  }
}

extension Timestamp {
  /// Seconds since 1970-01-01 00:00 UTC.
  fileprivate var seconds: Double { Double(milliseconds) / 1_000 }
}

/// What the system says of this process.
struct ProcessStatistics {
  /// Bytes of memory in use.
  let resident: Double?
  /// Bytes of address space.
  let virtual: Double?
  /// Seconds of processor time.
  let processor: Double
  /// How many descriptors are open, and may be.
  let descriptors: Double?
  let descriptorLimit: Double?

  init() {
    let page = Double(sysconf(Int32(_SC_PAGESIZE)))
    let pages = (try? readFile("/proc/self/statm", atMost: 4_096)).map {
      String(decoding: $0, as: UTF8.self).split(separator: " ").compactMap { Double($0) }
    }
    virtual = pages?.first.map { $0 * page }
    resident = pages?.dropFirst().first.map { $0 * page }
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    processor = [usage.ru_utime, usage.ru_stime].reduce(0) {
      $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
    }
    descriptors = ProcessStatistics.entries("/proc/self/fd").map { Double($0) }
    var limit = rlimit()
    let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    descriptorLimit = isKnown ? Double(limit.rlim_cur) : nil
  }

  /// How many entries a folder has, without the descriptor that counts them.
  private static func entries(_ path: String) -> Int? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var count = -1
    while let entry = readdir(folder) {
      if entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { count += 1 }
    }
    return count
  }
}
