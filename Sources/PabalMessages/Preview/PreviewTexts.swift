/// What a preview page says around the messages, in one language.
struct PreviewTexts: Sendable {
  let title: String
  let name: String
  let sample: String
  let examples: String
  let long: String
  let zeros: String
  let width: String
  let both: String
  let phone: String
  let desktop: String
  let scheme: String
  let light: String
  let dark: String
  let text: String
  let problems: String
  /// Below the problems, if there are errors.
  let keptVersion: String
  let keptVersionOrNone: String
  let images: String
  let noImages: String

  static func inLanguage(_ language: InterfaceLanguage) -> PreviewTexts {
    switch language {
    case .korean: korean
    case .english: english
    }
  }

  private static let english = PreviewTexts(
    title: "Pabal: messages", name: "Pabal", sample: "Values", examples: "Examples", long: "Long values",
    zeros: "Code 000000", width: "Width", both: "Both", phone: "Phone", desktop: "Desktop",
    scheme: "Color scheme",
    light: "Light", dark: "Dark", text: "Plain text", problems: "To fix",
    keptVersion: "A message with an error is shown as it was before the edit.",
    keptVersionOrNone: "A message with an error is shown as it was before the edit, or not at all.",
    images: "Most readers see images only after they allow them.",
    noImages: "There are no images, so it looks the same with images turned off.")

  private static let korean = PreviewTexts(
    title: "파발: 메일 문구", name: "파발", sample: "값", examples: "예시", long: "긴 값", zeros: "인증번호 000000",
    width: "너비",
    both: "둘 다", phone: "휴대폰", desktop: "컴퓨터", scheme: "화면 모드", light: "밝은 화면", dark: "어두운 화면",
    text: "텍스트 버전",
    problems: "수정할 곳", keptVersion: "오류가 있는 메일은 수정하기 전의 모습으로 보입니다.",
    keptVersionOrNone: "오류가 있는 메일은 수정하기 전의 모습으로 보이거나 나타나지 않습니다.",
    images: "이미지는 받는 사람이 허용해야 보입니다.", noImages: "이미지가 없어서 이미지를 꺼 두어도 똑같이 보입니다.")
}
