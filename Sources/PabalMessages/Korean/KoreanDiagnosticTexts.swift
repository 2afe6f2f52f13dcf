/// The translations of what is wrong with declarations, tags and Markdown; `<1>` … `<9>` stand for what varies.
extension KoreanDiagnostics {
  static let declarations: [(String, String)] = [
    ("message.json is missing", "message.json이 없습니다"),
    ("copy one from another message and adapt it", "다른 메일의 message.json을 복사해서 고쳐 쓰세요"),
    ("not the name of a variable", "변수 이름으로 쓸 수 없습니다"),
    ("use small letters, digits and _, a letter first, 64 at most", "영문 소문자로 시작하고 소문자, 숫자, _만 64자까지 쓰세요"),
    ("<1> is a placeholder of layout.html", "<1>은(는) layout.html에서 쓰는 이름입니다"),
    ("give the variable another name", "변수에 다른 이름을 붙이세요"),
    (#"add "for": "…" and say what the variable is for"#, #""for": "…"를 추가하고 변수의 용도를 적으세요"#),
    (#"add "kind" with one of <1>"#, #""kind"를 추가하고 다음 중 하나를 적으세요: <1>"#),
    (#"add "example": "…", a value to show in previews"#, #""example": "…"를 추가하고 미리보기에 쓸 값을 적으세요"#),
    (#"only a variable of kind "time" has a "date""#, #""date"는 kind가 "time"인 변수에만 쓸 수 있습니다"#),
    (#"only a variable of kind "text" has a "reading""#, #""reading"은 kind가 "text"인 변수에만 쓸 수 있습니다"#),
    ("not a lifetime", "유효 기간이 아닙니다"),
    ("write it like 90s, 10m, 2h or 3d, at most a year", "90s, 10m, 2h, 3d처럼 1년 이내로 적으세요"),
    ("no language uses <1>", "<1>을(를) 쓰는 언어가 없습니다"),
    ("use it, or remove it from message.json", "본문에 쓰거나 message.json에서 지우세요"),
    ("empty", "비어 있습니다"), ("enter some text", "내용을 적으세요"),
    ("not a code", "인증번호가 아닙니다"), ("use 4 to 12 digits without spaces", "공백 없이 숫자 4–12자리를 쓰세요"),
    ("not a link address", "링크 주소가 아닙니다"),
    ("start it with https://, http:// or mailto:", "https://, http://, mailto: 중 하나로 시작하세요"),
    ("not a duration", "시간 길이가 아닙니다"), ("write it as 90s, 10m, 2h or 3d", "90s, 10m, 2h, 3d처럼 적으세요"),
    ("use at most 100 years", "100년 이내로 적으세요"), ("not a time", "시각이 아닙니다"),
    ("write it as 2026-01-02T15:24:00+09:00", "2026-01-02T15:24:00+09:00처럼 적으세요"),
    ("use a year from 1 to 9999", "연도는 1–9999 사이로 적으세요"), ("longer than <1> bytes", "<1>바이트보다 깁니다"),
    ("shorten it", "줄이세요"), ("contains the character <1>", "<1> 문자가 있습니다"), ("remove it", "지우세요"),
    (
      #"<1> is "<2>", which is read by the name of its last letter before a Korean particle"#,
      #"<1>의 값 "<2>"은(는) 조사 앞에서 마지막 글자의 이름으로 읽습니다"#
    ),
    (#"the reading of <1>, <2>, is not in Hangul"#, "<1>의 읽는 법 <2>이(가) 한글이 아닙니다"),
    (#"add <1>: "…" with its reading in Hangul"#, #"<1>: "…"를 추가하고 읽는 법을 한글로 적으세요"#),
    (#"write <1>: "…" with its reading in Hangul"#, #"<1>: "…"에 읽는 법을 한글로 적으세요"#),
    ("no message declares <1>", "<1>을(를) 쓰는 메일이 없습니다"),
  ]

  static let tags: [(String, String)] = [
    ("<1> is not declared in message.json", "<1> 변수가 message.json에 없습니다"),
    ("did you mean <1>?", "<1>을(를) 쓰려던 것인가요?"), ("declare it there", "message.json에 추가하세요"),
    ("declare it there, or use one of <1>", "message.json에 추가하거나 다음 중 하나를 쓰세요: <1>"),
    (
      "<1> is neither a layout placeholder nor a site-wide value, and is not declared in <2>/message.json",
      "<1>은(는) 레이아웃의 이름도, 공통 변수도 아니고 <2>/message.json에도 없습니다"
    ),
    ("declare it, or remove it", "추가하거나 지우세요"), ("{% has no meaning in a message", "{%는 쓸 수 없습니다"),
    ("write variables as {{name}}, or remove it", "변수는 {{이름}}으로 쓰고, 아니면 지우세요"),
    ("}} has no matching {{", "}} 앞에 {{가 없습니다"),
    ("write {{ before the name, or remove it", "이름 앞에 {{를 쓰거나 지우세요"), ("{{ is never closed", "{{를 닫지 않았습니다"),
    ("write {{name}} on one line", "{{이름}}을 한 줄에 쓰세요"),
    ("<1> is not a valid variable", "<1>은(는) 변수로 쓸 수 없습니다"),
    (
      "write {{name}} with a name from message.json: lower-case letters a to z, digits and _",
      "message.json에 있는 이름을 {{이름}}으로 쓰세요. 영문 소문자와 숫자, _만 쓸 수 있습니다"
    ),
    ("write <1> in ASCII characters", "한글 자판의 전각 문자가 아닌 <1>을(를) 쓰세요"),
    ("write {{name}} with a name from message.json", "message.json에 있는 이름을 {{이름}}으로 쓰세요"),
    ("<1> is not a variable", "<1>은(는) 변수가 아닙니다"), ("write {{<1>}}", "{{<1>}}로 쓰세요"),
    ("more than <1> variables in one file", "한 파일에 변수가 <1>개보다 많습니다"), ("shorten the message", "메일을 줄이세요"),
    (
      "the <1> does not contain <2>, so the reader has no code to enter",
      "<1>에 <2>이(가) 없어서 받는 사람이 입력할 인증번호가 없습니다"
    ),
    ("mail", "메일"), ("text", "텍스트 버전"), ("HTML", "HTML 버전"),
    (
      "put <1> on a line of its own, with a blank line before and after",
      "<1>을(를) 따로 한 줄에 쓰고 앞뒤에 빈 줄을 두세요"
    ),
    ("a variable can't be used here", "여기에는 변수를 쓸 수 없습니다"), ("move it into the text", "본문으로 옮기세요"),
    ("<1> is in <2> but missing here", "<2>에 있는 <1>이(가) 여기에는 없습니다"),
    ("add it, so that both versions say the same", "두 버전의 내용이 같도록 추가하세요"),
  ]

  static let markdown: [(String, String)] = [
    ("Subject: is missing", "Subject:가 없습니다"),
    (
      "start the file with Subject: and what the mail is about, then a blank line, then the text",
      "첫 줄에 Subject:와 제목을 쓰고, 빈 줄 다음에 본문을 쓰세요"
    ),
    ("start the file with Subject: and what the mail is about", "첫 줄에 Subject:와 제목을 쓰세요"),
    ("the blank line before the text is missing", "본문 앞에 빈 줄이 없습니다"),
    ("add it after Subject: and Preview:", "Subject:와 Preview: 다음에 빈 줄을 넣으세요"),
    ("<1>: appears twice", "<1>:가 두 번 나옵니다"), ("keep one of them", "하나만 남기세요"),
    ("<1>: is empty", "<1>:가 비어 있습니다"),
    ("write what the mail is about", "제목을 쓰세요"), ("fill it in, or remove the line", "내용을 쓰거나 줄을 지우세요"),
    ("<1> is not a known header line", "<1>은(는) 쓸 수 있는 머리 줄이 아닙니다"),
    ("use Subject: or Preview:", "Subject:나 Preview:를 쓰세요"),
    ("write <1>: with an ASCII colon", "<1>:로 쓰세요. 콜론은 반각으로 씁니다"), ("the mail has no text", "메일에 본문이 없습니다"),
    ("write it after a blank line", "빈 줄 다음에 본문을 쓰세요"),
    (
      "a private-use character, which mail programs may not display", "메일 프로그램에서 보이지 않을 수 있는 사용자 정의 문자입니다"
    ),
    (
      "the private-use character <1>, which mail programs may not display",
      "<1>은(는) 메일 프로그램에서 보이지 않을 수 있는 사용자 정의 문자입니다"
    ),
    ("use another character", "다른 문자를 쓰세요"), ("the file is not UTF-8 from here on", "여기부터 UTF-8이 아닙니다"),
    ("save it again with UTF-8 encoding", "인코딩을 UTF-8로 해서 다시 저장하세요"),
    (
      "quotes, lists and emphasis are nested more than <1> levels deep", "인용, 목록, 강조가 <1>단계보다 깊게 겹쳐 있습니다"
    ),
    ("remove some levels", "단계를 줄이세요"),
    ("<1> is HTML, which a .md file can't contain", "<1>은(는) HTML이라 .md 파일에 쓸 수 없습니다"),
    (
      "write **bold**, [text](https://…) or plain text, or put hand-written HTML into <1>",
      "**굵게**, [링크 이름](https://…) 또는 글자만 쓰거나, 직접 작성한 HTML은 <1>에 두세요"
    ),
    (
      "** would be shown as two asterisks, not as bold text", "**가 굵은 글씨가 되지 않고 별표 두 개로 나타납니다"
    ),
    (
      #"put quotation marks and brackets outside the asterisks, as in "**words**", with no space just inside them"#,
      #"따옴표와 괄호는 "**굵게**"처럼 별표 밖에 두고, 별표 바로 안쪽은 띄우지 마세요"#
    ),
    ("a link without a complete address", "링크 주소가 완전하지 않습니다"),
    ("an image without a complete address", "이미지 주소가 완전하지 않습니다"),
    (
      #"start it with https://, http:// or mailto:, or with a variable of kind "url""#,
      #"https://, http://, mailto:나 kind가 "url"인 변수로 시작하세요"#
    ),
    (
      #"start it with https:// or http://, or with a variable of kind "url""#,
      #"https://, http://나 kind가 "url"인 변수로 시작하세요"#
    ),
    ("an image without a description", "이미지에 설명이 없습니다"),
    ("describe it: ![description](…)", "![설명](…)처럼 설명을 쓰세요"),
    ("** in a header line, which is plain text", "머리 줄에는 굵은 글씨(**)를 쓸 수 없습니다"),
    ("tables are not supported", "표는 쓸 수 없습니다"),
    (#"write a list with one "- name: value" per row"#, #"행마다 "- 이름: 값"으로 목록을 쓰세요"#),
    (
      "~~ does not strike text out, because strikethrough is not supported", "~~로 취소선을 그을 수 없습니다"
    ),
    (#"remove the words, or write \~~ to show the tildes"#, #"그 부분을 지우거나, 물결표를 그대로 보이려면 \~~로 쓰세요"#),
  ]
}
