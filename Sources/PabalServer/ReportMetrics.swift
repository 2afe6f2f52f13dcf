import PabalCore
import PabalHTTP

/// The metrics of reports to the senders of submitted mail.
struct ReportMetrics: Sendable {
  private let reports = LabelledCounter<DeliveryReport.Action>()
  private let unreported = LabelledCounter<Reporting>()

  /// Counts an event of the dispatcher.
  func handle(_ event: DispatcherEvent) {
    switch event {
    case .reported(_, _, let action, _):
      if let action = DeliveryReport.Action(rawValue: action) { reports.add(action) }
    case .settled(let entry) where entry.reporting.isImpossible:
      switch entry.state {
      case .rejected, .unknown, .expired: unreported.add(entry.reporting)
      case .waiting, .sending, .sent, .superseded, .cancelled: break
      }
    default: break
    }
  }

  func add(to text: inout MetricsText) {
    text.counter(
      "pabal_reports_total", "Reports to the senders of submitted mails.", reports,
      zero: DeliveryReport.Action.allCases
    ) { [("action", $0.rawValue)] }
    text.counter(
      "pabal_unreported_mails_total", "Submitted mails that failed, without a report to their senders.",
      unreported, zero: Reporting.allCases.filter(\.isImpossible)
    ) { [("reason", $0.rawValue)] }
  }
}
