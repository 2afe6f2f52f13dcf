internal import PabalFormats

/// The text of a report for people. Its first line says what has happened.
struct DeliveryReportText {
  /// A language in which reports are written.
  enum Language: String {
    case english = "en"
    case korean = "ko"

    /// The language of a BCP 47 tag.
    init(_ tag: String) {
      let tag = tag.lowercased()
      self = tag == "ko" || tag.hasPrefix("ko-") ? .korean : .english
    }
  }

  /// The language.
  let language: Language
  private let report: DeliveryReport
  private let host: String
  private let mailSubject: String
  /// The recipients in the text; the part for programs has all of them.
  private static let limit = 100

  init(_ report: DeliveryReport, _ options: DeliveryReportOptions) {
    self.report = report
    language = Language(options.language)
    host = options.host
    mailSubject = report.originalSubject
  }

  /// The display name in the From field.
  var author: String { language == .korean ? "메일 배달 시스템" : "Mail Delivery System" }

  /// The subject of the report.
  var subject: String {
    let kind =
      switch (language, report.action) {
      case (.english, .failed): "Not delivered"
      case (.english, .delayed): "Delayed"
      case (.english, .relayed): "Handed over"
      case (.korean, .failed): "배달 실패"
      case (.korean, .delayed): "배달 지연"
      case (.korean, .relayed): "전달 완료"
      }
    let fallback = language == .korean ? "보내신 메일" : "your mail"
    return "\(kind): \(mailSubject.isEmpty ? fallback : mailSubject)"
  }

  /// The text.
  var body: String {
    var lines = [summary, ""]
    for recipient in report.recipients.prefix(DeliveryReportText.limit) {
      lines.append("    \(printable(recipient.address))")
      lines.append("        \(explanation(of: recipient))")
    }
    let more = report.recipients.count - DeliveryReportText.limit
    if more > 0 { lines.append(language == .korean ? "    외 \(more)명" : "    and \(more) more") }
    lines += ["", advice, ""]
    lines.append("\(language == .korean ? "제목" : "Subject"): \(mailSubject)")
    lines.append("\(language == .korean ? "보낸 시각" : "Submitted"): \(time(report.arrival))")
    lines.append("\(language == .korean ? "큐 ID" : "Queue ID"): \(report.id)")
    lines += ["", ending]
    return lines.joined(separator: "\n") + "\n"
  }

  private var summary: String {
    let count = report.recipients.count
    let only = count == 1 ? printable(report.recipients[0].address) : nil
    let isUncertain = report.action == .failed && report.recipients.allSatisfy { $0.cause == .unknown }
    return switch (language, report.action) {
    case (.english, .failed) where isUncertain:
      "It is not known whether your mail to \(only ?? "\(count) recipients") was delivered."
    case (.english, .failed): "Your mail to \(only ?? "\(count) recipients") could not be delivered."
    case (.english, .delayed): "Your mail to \(only ?? "\(count) recipients") has not been delivered yet."
    case (.english, .relayed):
      "Your mail to \(only ?? "\(count) recipients") was handed over to the next mail server."
    case (.korean, .failed) where isUncertain:
      "\(only ?? "받는 사람 \(count)명")에게 보내신 메일이 배달되었는지 확인할 수 없습니다."
    case (.korean, .failed): "\(only ?? "받는 사람 \(count)명")에게 보내신 메일을 배달하지 못했습니다."
    case (.korean, .delayed): "\(only ?? "받는 사람 \(count)명")에게 보내신 메일을 아직 배달하지 못했습니다."
    case (.korean, .relayed): "\(only ?? "받는 사람 \(count)명")에게 보내신 메일을 다음 메일 서버에 전달했습니다."
    }
  }

  private func explanation(of recipient: DeliveryReport.Recipient) -> String {
    let reply = recipient.shownReply
    switch (language, report.action, recipient.cause) {
    case (.english, .failed, .expired):
      return "the time limit was reached\(reply.map { "; the last answer was: \($0)" } ?? "")"
    case (.english, .failed, .unknown): return "the connection failed before the mail was confirmed"
    case (.english, .failed, _): return reply.map { "refused: \($0)" } ?? "refused"
    case (.english, .delayed, _): return reply.map { "the last answer was: \($0)" } ?? "waiting"
    case (.english, .relayed, _): return "handed over"
    case (.korean, .failed, .expired):
      return "제한 시간이 지났습니다.\(reply.map { " 마지막 응답: \($0)" } ?? "")"
    case (.korean, .failed, .unknown): return "메일이 확인되기 전에 연결이 끊어졌습니다."
    case (.korean, .failed, _): return reply.map { "거절됨: \($0)" } ?? "거절됨"
    case (.korean, .delayed, _): return reply.map { "마지막 응답: \($0)" } ?? "대기 중"
    case (.korean, .relayed, _): return "전달됨"
    }
  }

  private var advice: String {
    let until = report.retriedUntil.map(time)
    return switch (language, report.action) {
    case (.english, .failed):
      "It won't be tried again. Check the address and the answer, then send the mail again."
    case (.english, .delayed):
      "You don't need to do anything: delivery is tried \(until.map { "until \($0)" } ?? "again")."
    case (.english, .relayed):
      "That server doesn't report further, so this is not a confirmation that the mail was read."
    case (.korean, .failed): "다시 시도하지 않습니다. 주소와 응답을 확인한 뒤 메일을 다시 보내 주세요."
    case (.korean, .delayed):
      "하실 일은 없습니다. \(until.map { "\($0)까지" } ?? "앞으로도") 계속 시도합니다."
    case (.korean, .relayed): "그 서버는 더 알려 주지 않으므로, 메일을 읽었다는 확인은 아닙니다."
    }
  }

  private var ending: String {
    language == .korean
      ? "이 메일은 \(host)의 Pabal이 자동으로 보냈습니다. 자세한 내용과 보내신 메일의 헤더가 첨부되어 있습니다."
      : "Pabal at \(host) sent this report automatically. The details and the header of your mail are attached."
  }

  private func time(_ moment: Timestamp) -> String {
    MailDate.string(millisecondsSince1970: moment.milliseconds, offset: 0)
  }
}
