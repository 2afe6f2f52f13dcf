import Glibc
import PabalAccounts
import PabalCommand
import PabalCore
import PabalHTTP

/// The metrics of `pabal serve`. The number of label values that callers choose is limited.
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

  /// The labels of the metrics of verifications.
  struct VerificationKind: Hashable {
    let purpose: String
    let language: String
  }

  /// The labels of the metrics of suppressed recipients.
  struct Suppressed: Hashable {
    let lane: Lane
    let isWithheld: Bool
  }

  let startTime = Timestamp.now()
  let submissions = SubmissionMetrics()
  private let reports = ReportMetrics()
  let attempts = LabelledCounter<Attempt>()
  let attemptTimes = LabelledHistogram<String>(
    bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30])
  let ended = LabelledCounter<EndedMail>()
  let suppressed = LabelledCounter<Suppressed>()
  let bounced = LabelledCounter<String>()
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

  /// Counts an event of the dispatcher.
  func handle(_ event: DispatcherEvent) {
    reports.handle(event)
    switch event {
    case .attempted(_, let transport, let outcome, _, _, let took):
      attempts.add(Attempt(transport: transport, outcome: outcome.name))
      attemptTimes.add(transport, took)
    case .settled(let entry):
      guard entry.state.isFinal else { return }
      ended.add(EndedMail(lane: entry.lane, state: entry.state))
      if entry.state == .sent, let moment = entry.ended { sentTimes.add(entry.lane, moment - entry.created) }
    case .suppressed(_, let lane, let recipients, let isWithheld):
      for _ in 0..<recipients { suppressed.add(Suppressed(lane: lane, isWithheld: isWithheld)) }
    case .paced, .held, .paused, .restored, .expedited, .routeMissing, .codesDelayed, .lost, .reported,
      .unreadable,
      .unsettled, .storage:
      break
    }
  }

  /// Counts recipients that bounces are about.
  func countBounce(_ recipients: Int) {
    for _ in 0..<recipients { bounced.add("") }
  }

  /// Counts an event of the HTTP server.
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
    // The status of the response is counted with `.answered`.
    case .submitted, .signatureRemoved, .failed, .warning: break
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
  /// Returns all metrics, with the current state of `runtime`, in the format of Prometheus.
  func text(_ runtime: ServeRuntime, _ readiness: ServeReadiness) async -> MetricsText {
    let snapshot = runtime.snapshot
    var text = MetricsText()
    await addReadiness(readiness, to: &text)
    await addOutbox(runtime, to: &text)
    addMail(snapshot, to: &text)
    addTransports(await runtime.dispatcher.conditions(), to: &text)
    addVerifications(to: &text)
    addRequests(to: &text)
    submissions.add(to: &text)
    reports.add(to: &text)
    await addAccounts(snapshot.tokenSources.compactMap { $0 as? OAuthAccount }, to: &text)
    addConfiguration(runtime.health, to: &text)
    addProcess(to: &text)
    return text
  }

  private func addReadiness(_ readiness: ServeReadiness, to text: inout MetricsText) async {
    let status = await readiness.current().status
    text.gauge(
      "pabal_readiness", "What /readyz answers: 1 for the current status, 0 for the others.",
      Readiness.Status.allCases.map { ([("status", $0.rawValue)], $0 == status ? 1 : 0) })
  }

  private func addOutbox(_ runtime: ServeRuntime, to text: inout MetricsText) async {
    let now = Timestamp.now()
    // If the store can't be read, the gauges have no value, which is not the same as 0.
    let backlog = try? await runtime.storage.outbox.read(OutboxQuery(limit: 0, withBacklog: true)).backlog
    text.gauge(
      "pabal_storage_up", "Whether the store could be read for this scrape.", [([], backlog == nil ? 0 : 1)])
    text.gauge(
      "pabal_outbox_waiting_mails", "Mails waiting to be sent.",
      backlog.map { backlog in
        Lane.allCases.map { ([("lane", $0.rawValue)], Double(backlog.waiting[$0]?.count ?? 0)) }
      } ?? [])
    text.gauge(
      "pabal_outbox_oldest_waiting_seconds", "How long the oldest waiting mail has waited.",
      backlog.map { backlog in
        Lane.allCases.map { lane in
          let age = backlog.waiting[lane].map { max(now - $0.oldest, .zero).seconds }
          return ([("lane", lane.rawValue)], age ?? 0)
        }
      } ?? [])
    text.gauge(
      "pabal_outbox_sending_mails", "Mails being sent.",
      backlog.map { [([], Double($0.sending))] } ?? [])
  }

  private func addMail(_ snapshot: RuntimeSnapshot, to text: inout MetricsText) {
    let outcomes = ["sent", "deferred", "unsuited", "rejected", "held", "unknown"]
    text.counter(
      "pabal_attempts_total", "Attempts to send a mail.", attempts,
      zero: snapshot.route.names.flatMap { name in outcomes.map { Attempt(transport: name, outcome: $0) } }
    ) { [("transport", $0.transport), ("outcome", $0.outcome)] }
    text.histogram("pabal_attempt_duration_seconds", "Duration of attempts.", attemptTimes) {
      [("transport", $0)]
    }
    text.counter(
      "pabal_mails_ended_total", "Mails that reached a final state in this process.", ended,
      zero: OutboxState.allCases.filter(\.isFinal).map { EndedMail(lane: .code, state: $0) }
    ) { [("lane", $0.lane.rawValue), ("state", $0.state.rawValue)] }
    text.counter(
      "pabal_suppressed_recipients_total",
      "Recipients on the suppression list: bulk mail was withheld from them, other mail was sent.",
      suppressed,
      zero: [
        Suppressed(lane: .bulk, isWithheld: true), Suppressed(lane: .normal, isWithheld: false),
        Suppressed(lane: .code, isWithheld: false),
      ]
    ) { [("lane", $0.lane.rawValue), ("withheld", $0.isWithheld ? "yes" : "no")] }
    text.counter(
      "pabal_bounced_recipients_total",
      "Recipients of sent mail about which a bounce was read, delays included.",
      bounced, zero: [""]
    ) { _ in [] }
    text.histogram(
      "pabal_mail_sent_seconds", "Time from accepting a mail to sending it.", sentTimes
    ) { [("lane", $0.rawValue)] }
  }

  private func addTransports(_ conditions: [TransportCondition], to text: inout MetricsText) {
    text.gauge(
      "pabal_transport_held", "Whether the transport gets no mail because of its account or configuration.",
      conditions.map { ([("transport", $0.name)], $0.heldSince == nil ? 0 : 1) })
    text.gauge(
      "pabal_transport_state",
      "Whether the transport receives mail: 1 for the current state, 0 for the others.",
      conditions.flatMap { condition in
        TransportCondition.Availability.allCases.map { state in
          (
            [("transport", condition.name), ("state", state.rawValue)],
            condition.availability == state ? 1 : 0
          )
        }
      })
    text.gauge(
      "pabal_transport_cause_info", "Why a transport is paused or held.",
      conditions.filter { $0.availability != .ready }.map {
        ([("transport", $0.name), ("state", $0.availability.rawValue), ("cause", $0.cause ?? "")], 1)
      })
    text.gauge(
      "pabal_transport_failures", "Consecutive attempts that failed because of the transport.",
      conditions.map { ([("transport", $0.name)], Double($0.failures)) })
  }

  private func addVerifications(to text: inout MetricsText) {
    func labels(_ kind: VerificationKind) -> MetricsText.Labels {
      [("purpose", kind.purpose), ("language", kind.language)]
    }
    // Includes kinds without an approval, so that their conversion rate is 0 and not missing.
    let kinds = Array(starts.counts.keys)
    text.counter(
      "pabal_verifications_started_total", "Verifications started, not counting notices.", starts,
      labels: labels)
    text.counter(
      "pabal_verifications_approved_total", "Verifications approved by a correct code.", approvals,
      zero: kinds,
      labels: labels)
    text.counter(
      "pabal_verifications_resent_total", "New codes sent for a verification.", resends, zero: kinds,
      labels: labels)
    text.counter(
      "pabal_verification_notices_total", "Starts that sent a notice instead of a code.", notices,
      labels: labels)
    text.histogram(
      "pabal_verification_approval_seconds", "Time from the start of a verification to its approval.",
      approvalTimes
    ) { [("purpose", $0)] }
    text.counter(
      "pabal_verification_checks_total", "Codes checked.", checks,
      zero: VerificationOutcome.allCases
    ) { [("outcome", $0.rawValue)] }
    text.counter(
      "pabal_verification_limits_total", "Requests refused because of a limit.", limits,
      zero: VerificationLimit.allCases
    ) { [("limit", $0.rawValue)] }
  }

  private func addRequests(to text: inout MetricsText) {
    text.counter("pabal_http_requests_total", "HTTP requests answered.", requests) {
      [("route", $0.route), ("method", $0.method), ("status", "\($0.status)")]
    }
    text.histogram("pabal_http_request_duration_seconds", "Duration of HTTP requests.", requestTimes) {
      [("route", $0)]
    }
  }

  private func addAccounts(_ accounts: [OAuthAccount], to text: inout MetricsText) async {
    let threads = WorkerThreads(count: 1)
    // On a thread of its own, because it reads files.
    let states = await threads.run { accounts.map { ($0.title, $0.status(), $0.needsAttention) } }
    threads.stop()
    text.gauge(
      "pabal_account_state", "State of the account's login: 1 for the current state, 0 for the others.",
      states.flatMap { name, status, _ in
        [AccountStatus.State.fresh, .expiring, .dead].map { state in
          ([("account", name), ("state", state.rawValue)], status.state == state ? 1 : 0)
        }
      })
    text.gauge(
      "pabal_account_needs_attention", "Whether the account needs an operator's attention.",
      states.map { ([("account", $0.0)], $0.2 ? 1 : 0) })
    text.gauge(
      "pabal_account_tokens_storable", "Whether renewed tokens can be stored, as far as is known.",
      states.map { ([("account", $0.0)], $0.1.storageProblem == nil ? 1 : 0) })
    text.gauge(
      "pabal_account_token_expiry_timestamp_seconds", "When the access token expires; it is renewed before.",
      states.compactMap { name, status, _ in
        status.accessTokenExpiry.map { ([("account", name)], Double($0.seconds)) }
      })
    text.gauge(
      "pabal_account_login_expiry_timestamp_seconds", "When the login expires, if the server says so.",
      states.compactMap { name, status, _ in
        status.refreshTokenExpiry.map { ([("account", name)], Double($0.seconds)) }
      })
  }

  private func addConfiguration(_ health: ConfigurationHealth, to text: inout MetricsText) {
    text.gauge(
      "pabal_config_last_reload_successful",
      "Whether the configuration in use is that of the file as it is now.",
      [([], health.isCurrent ? 1 : 0)])
    text.gauge(
      "pabal_config_last_reload_success_timestamp_seconds", "When the configuration in use was read.",
      [([], health.loadedAt.seconds)])
  }

  private func addProcess(to text: inout MetricsText) {
    let statistics = ProcessStatistics()
    func one(_ value: Double?) -> [(MetricsText.Labels, Double)] { value.map { [([], $0)] } ?? [] }
    text.gauge("pabal_build_info", "Version of Pabal.", [([("version", pabalVersion)], 1)])
    text.gauge("process_start_time_seconds", "Start time of the process.", one(startTime.seconds))
    text.counter("process_cpu_seconds_total", "CPU time.", one(statistics.processor))
    text.gauge("process_resident_memory_bytes", "Resident memory.", one(statistics.resident))
    text.gauge("process_virtual_memory_bytes", "Virtual memory.", one(statistics.virtual))
    text.gauge("process_open_fds", "Open file descriptors.", one(statistics.descriptors))
    text.gauge("process_max_fds", "Maximum number of open file descriptors.", one(statistics.descriptorLimit))
  }
}

extension Timestamp {
  /// Seconds since 1970-01-01 00:00 UTC.
  fileprivate var seconds: Double { Double(milliseconds) / 1_000 }
}

/// The resource usage of this process, from the system.
struct ProcessStatistics {
  /// Resident memory in bytes.
  let resident: Double?
  /// Virtual memory in bytes.
  let virtual: Double?
  /// CPU time in seconds.
  let processor: Double
  /// The number of open file descriptors.
  let descriptors: Double?
  /// The maximum number of open file descriptors.
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

  /// Returns the number of entries of a directory, without the descriptor that is used for counting.
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
