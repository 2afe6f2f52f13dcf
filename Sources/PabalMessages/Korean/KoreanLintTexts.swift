/// The translations of what lint finds, and of errors in files, HTML and JSON; `<1>` … `<9>` stand for what varies.
extension KoreanDiagnostics {
  static let lookAlikes: [(String, String)] = [
    ("the invisible character <1>", "보이지 않는 문자 <1>이(가) 있습니다"),
    (
      "remove it: delete the characters around it and type them again", "앞뒤 글자까지 지우고 다시 입력하세요"
    ),
    ("the lines above --- or === become a heading", "--- 나 === 위의 줄이 큰 제목이 됩니다"),
    (
      "put a blank line above --- to start the small print, or write a heading as # words",
      "작은 글씨를 시작하려면 --- 위에 빈 줄을 넣고, 큰 제목은 # 제목으로 쓰세요"
    ),
    ("text that starts with a tab becomes a code block", "탭으로 시작하는 줄은 코드 상자가 됩니다"),
    ("text that starts with four or more spaces becomes a code block", "공백 네 칸 이상으로 시작하는 줄은 코드 상자가 됩니다"),
    (
      "remove the tab at the start of the line, or put ``` on a line before and after it",
      "줄 앞의 탭을 지우세요. 코드 상자를 원하면 앞뒤 줄에 ```를 쓰세요"
    ),
    (
      "remove the spaces at the start of the line, or put ``` on a line before and after it",
      "줄 앞의 공백을 지우세요. 코드 상자를 원하면 앞뒤 줄에 ```를 쓰세요"
    ),
    (
      "<1> is not in backticks, so it is not shown as the big code block",
      "<1> 양쪽이 백틱이 아니어서 큰 인증번호 상자가 되지 않습니다"
    ),
    (
      "<1> is in a code block, so it is not shown as the big code block",
      "<1>이(가) ``` 사이에 있어서 큰 인증번호 상자가 되지 않습니다"
    ),
    (
      "write <1> on one line, with one backtick on each side", "한 줄에 백틱을 양쪽에 하나씩만 써서 <1>처럼 쓰세요"
    ),
    ("<1> after <2>, which contains its unit already", "<2>에는 단위가 이미 들어 있습니다: <1>"),
    ("leave <1> out", "<1>을(를) 빼세요"),
    ("two edits of this text conflict", "두 사람이 고친 내용이 합쳐지지 않은 채 남아 있습니다"),
    (
      "keep one of them, and remove the lines that start with <<<<<<<, ======= and >>>>>>>",
      "한쪽 내용만 남기고, <<<<<<<, =======, >>>>>>>로 시작하는 줄을 지우세요"
    ),
    ("write <1> with the key to the left of 1", "숫자 1 왼쪽의 키로 <1>처럼 쓰세요. 한글 자판에서는 영문으로 바꾸고 누릅니다"),
    (
      "<1> is not a paragraph of its own, so it is not shown as the big code block",
      "<1>이(가) 따로 떨어진 문단이 아니어서 큰 인증번호 상자가 되지 않습니다"
    ),
    (
      "put a blank line before and after it, and nothing else on its line", "앞뒤에 빈 줄을 두고 그 줄에는 다른 글자를 쓰지 마세요"
    ),
    ("a backtick without a second one is shown as it is", "짝이 없는 백틱은 그대로 보입니다"),
    ("add the second one, or remove it", "짝을 맞추거나 지우세요"),
    (
      "a line that looks empty contains <1>, so it does not separate paragraphs",
      "빈 줄처럼 보이지만 <1>이(가) 있어서 문단이 나뉘지 않습니다"
    ),
    ("remove everything from the line", "줄을 완전히 비우세요"),
    ("<1> is not an ordinary space, so <2> has no effect", "<1>은(는) 보통 공백이 아니어서 <2>이(가) 효과가 없습니다"),
    ("write an ordinary space instead", "보통 공백으로 바꾸세요"),
    ("<1> does not start the small print", "<1>로는 작은 글씨가 시작되지 않습니다"),
    ("write --- with three hyphens", "빼기 기호 세 개(---)를 쓰세요"),
    ("full-width ＊＊ does not make text bold", "전각 ＊＊로는 굵어지지 않습니다"), ("write **", "**를 쓰세요"),
    ("a link in full-width brackets is not a link", "전각 괄호로는 링크가 되지 않습니다"),
    ("write [text](https://…)", "[링크 이름](https://…)으로 쓰세요"),
    ("a space between ] and (, so this is not a link", "]와 ( 사이를 띄우면 링크가 되지 않습니다"),
    ("remove the space", "공백을 지우세요"),
    ("<1> at the end of a line does not break it", "줄 끝의 <1>(으)로는 줄이 바뀌지 않습니다"),
    (#"write \: on a Korean keyboard, switch to English first"#, #"영문으로 바꾸고 \를 입력하세요"#),
    ("lines that start with <1> run together in one paragraph", "<1>로 시작하는 줄들이 한 문단으로 이어집니다"),
    ("write a list: start each with - and a space", "줄마다 -와 공백으로 시작하는 목록을 쓰세요"),
  ]

  static let particles: [(String, String)] = [
    ("<1> is misspelled", "맞춤법에 맞지 않는 조사입니다: <1>"),
    ("a space between <1> and <2>", "<1> 뒤의 조사를 띄어 썼습니다: <2>"),
    ("<1> after <2> is not a particle that Pabal knows", "<2> 뒤에 알 수 없는 조사가 있습니다: <1>"),
    ("<1> after <2> is in full-width characters", "<2> 뒤의 조사에 전각 문자가 있습니다: <1>"),
    ("<1> after a word that never changes", "바뀌지 않는 말 뒤에 두 형태를 쓴 조사가 있습니다: <1>"),
    ("choose one form", "한 가지 형태만 쓰세요"),
    (
      "<1> does not follow a variable, so it is mailed as written", "앞에 변수가 없어서 쓴 그대로 발송됩니다: <1>"
    ),
    (
      "choose one form, or put a variable directly before it", "한 가지 형태만 쓰거나, 바로 앞에 변수를 두세요"
    ),
    ("<1> after <2> fits only some values", "<2> 뒤에 '<1>'만 쓰면 맞지 않는 값이 있습니다"),
    ("write it too, because the subject comes from it", "제목이 그 파일에서 나오므로 함께 작성하세요"),
    ("write it, otherwise <1> readers get <2>", "작성하지 않으면 <1> 사용자는 <2> 메일을 받습니다"),
    ("write it, or change messages.language in config.json", "작성하거나 config.json의 messages.language를 바꾸세요"),
  ]

  static let files: [(String, String)] = [
    (
      "<1> is missing, but <2> is the default language", "기본 언어 <2>의 <1>이(가) 없습니다"
    ),
    ("<1> is missing, but other messages have one", "다른 메일에 있는 <1>이(가) 없습니다"),
    ("<1> is missing beside this file", "이 파일 옆에 <1>이(가) 없습니다"),
    ("<1> is not the language tag of <2>", "<1>은(는) 언어 코드가 아닙니다 (<2>)"),
    ("rename the file to <1>", "파일 이름을 <1>(으)로 바꾸세요"),
    (
      "neither message.json nor a language's .md, .html or .txt file, so it is ignored",
      "message.json도, 언어별 .md, .html, .txt 파일도 아니어서 쓰이지 않습니다"
    ),
    ("name it after its language, such as ko.md, or remove it", "ko.md처럼 언어 코드로 이름을 바꾸거나 지우세요"),
    ("the same language as <1>", "<1>과(와) 같은 언어입니다"),
    ("not in a message's folder, so it is ignored", "메일 폴더 안에 있지 않아 쓰이지 않습니다"),
    ("move it into its message's folder", "해당하는 메일의 폴더로 옮기세요"),
    ("not a valid message name, so the folder is ignored", "메일 이름으로 쓸 수 없어 폴더가 쓰이지 않습니다"),
    (
      "use at most 64 lower-case letters a to z, digits and -, such as welcome",
      "welcome처럼 영문 소문자, 숫자, -로 64자까지 쓰세요"
    ),
    (
      #"use at most 64 lower-case letters a to z, digits and -, such as welcome; "<1>" already exists"#,
      #"welcome처럼 영문 소문자, 숫자, -로 64자까지 쓰세요. "<1>"은(는) 이미 있습니다"#
    ), (#"rename it to "<1>""#, #"이름을 "<1>"(으)로 바꾸세요"#), ("can't be read: <1>", "읽을 수 없습니다: <1>"),
    ("the message's folder can't be read: <1>", "메일 폴더를 읽을 수 없습니다: <1>"),
    ("the messages directory can't be read: <1>", "메일 문구 폴더를 읽을 수 없습니다: <1>"),
    ("check messages.directory in config.json", "config.json의 messages.directory를 확인하세요"),
    ("check messages.overrides in config.json", "config.json의 messages.overrides를 확인하세요"),
    ("check its name and permissions", "이름과 권한을 확인하세요"),
    ("links to a file outside the messages directory", "메일 문구 폴더 밖의 파일로 이어지는 링크입니다"),
    ("put the file itself there", "파일 자체를 두세요"),
    ("not a regular file", "보통 파일이 아닙니다"), ("put a file there", "파일을 두세요"),
    ("<1>: larger than <2> bytes", "<1>: <2>바이트보다 큽니다"),
    (
      "the subject has <1> characters with the example values, but phones show only about 40",
      "예시 값을 넣은 제목이 <1>자인데, 휴대폰에는 40자쯤까지만 보입니다"
    ), ("shorten it to at most <1>", "<1>자 이내로 줄이세요"),
    (
      "the HTML has <1> bytes, but Gmail cuts it off after <2>", "HTML이 <1>바이트인데, Gmail은 <2>바이트 뒤를 잘라 냅니다"
    ),
    (#"unknown message "<1>"; did you mean "<2>"?"#, #""<1>"이라는 메일이 없습니다. "<2>"을(를) 쓰려던 것인가요?"#),
    (
      #"unknown message "<1>"; `pabal messages list` lists all messages"#,
      #""<1>"이라는 메일이 없습니다. `pabal messages list`로 모든 메일을 볼 수 있습니다"#
    ),
    (
      #"the message "<1>" has no variable "<2>"; did you mean "<3>"?"#,
      #""<1>" 메일에는 "<2>" 변수가 없습니다. "<3>"을(를) 쓰려던 것인가요?"#
    ),
    (
      #"the message "<1>" has no variable "<2>"; message.json lists its variables"#,
      #""<1>" 메일에는 "<2>" 변수가 없습니다. 쓸 수 있는 변수는 message.json에 있습니다"#
    ),
    (
      #"the value for "<1>" of the message "<2>": <3>; <4>"#, #""<2>" 메일의 변수 "<1>"에 맞지 않는 값입니다. <3>. <4>"#
    ),
  ]

  static let html: [(String, String)] = [
    ("<1> is missing", "<1>이(가) 없습니다"), ("put it where the text of the mail goes", "메일 본문이 들어갈 자리에 두세요"),
    ("<1> is used twice", "<1>이(가) 두 번 쓰였습니다"), ("remove one of them", "하나를 지우세요"),
    ("<1> can't be used in an address", "<1>은(는) 주소에 쓸 수 없습니다"),
    ("use a variable, or remove it", "변수를 쓰거나 지우세요"),
    ("<1> can't be used in a file that is only part of a page", "페이지의 일부인 파일에는 <1>을(를) 쓸 수 없습니다"),
    ("remove it: this file itself is the content", "지우세요. 이 파일 자체가 본문입니다"),
    ("<1> is a <2>, but a complete address is needed here", "<1>의 kind는 <2>인데, 여기에는 온전한 주소가 필요합니다"),
    (#"declare it with kind "url", or write https:// before it"#, #"kind를 "url"로 하거나 앞에 https://를 쓰세요"#),
    ("the <style> has <1>", "<style>에 오류가 있습니다: <1>"), ("check its braces", "중괄호를 확인하세요"),
    ("a rule without { … }", "{ … }가 없는 규칙"), ("a { that is never closed", "닫지 않은 {"),
    ("a variable can't be used in <1>", "<1> 안에는 변수를 쓸 수 없습니다"), ("a comment", "주석"), ("a declaration", "선언"),
    ("the name of an element", "요소 이름"), ("a <<1>>", "<<1>>"), ("an unquoted attribute", "따옴표가 없는 속성"),
    ("move it into the text or a quoted attribute", "본문이나 따옴표로 묶은 속성으로 옮기세요"),
    ("mail programs don't run <script>", "메일 프로그램은 <script>를 실행하지 않습니다"),
    ("mail programs don't run scripts", "메일 프로그램은 스크립트를 실행하지 않습니다"),
    ("an image without alt", "이미지에 alt가 없습니다"),
    (
      #"describe it in alt="…" for readers who have images turned off"#, #"이미지를 꺼 둔 사람을 위해 alt="…"에 설명을 쓰세요"#
    ), ("<html> without lang", "<html>에 lang이 없습니다"),
    (#"write <html lang="{{language}}">"#, #"<html lang="{{language}}">로 쓰세요"#),
    ("a comment is never closed", "주석을 닫지 않았습니다"),
    ("end it with -->", "-->로 닫으세요"), ("a quotation mark is never closed", "따옴표를 닫지 않았습니다"),
    ("add the closing one", "닫는 따옴표를 쓰세요"), ("<1> is never closed", "<1>을(를) 닫지 않았습니다"),
    ("close it with >", ">로 닫으세요"),
    ("add </<1>>", "</<1>>를 쓰세요"),
  ]

  static let json: [(String, String)] = [
    ("unknown key", "쓸 수 없는 이름입니다"), ("missing key <1>", "<1> 항목이 없습니다"),
    ("use one of <1>", "다음 중 하나를 쓰세요: <1>"), ("<1> is not a valid choice", "<1>은(는) 쓸 수 없는 값입니다"),
    ("duplicate key, first used in line <1>, column <2>", "<1>줄 <2>칸에서 이미 쓴 이름입니다"),
    ("write a string, or remove the key", "문자열을 쓰거나 이름을 지우세요"), ("write it without quotes", "따옴표 없이 쓰세요"),
    ("not a language tag", "언어 코드가 아닙니다"), ("use one such as ko or en", "ko나 en 같은 언어 코드를 쓰세요"),
    ("<1> is not a JSON value", "<1>은(는) JSON 값이 아닙니다"), ("unexpected character", "쓸 수 없는 문자입니다"),
    ("nested deeper than <1> levels", "<1>단계보다 깊게 겹쳐 있습니다"), ("invalid escape sequence", "잘못된 \\ 표기입니다"),
    ("write a backslash as <1>", "\\는 <1>로 쓰세요"), ("control character in a string", "문자열에 제어 문자가 있습니다"),
    ("the file is empty", "파일이 비어 있습니다"),
    ("the file ends where a value is expected", "값이 있어야 할 곳에서 파일이 끝났습니다"),
    ("write at least {}", "적어도 {}를 쓰세요"),
    ("invalid UTF-8", "UTF-8이 아닙니다"), ("save the file as UTF-8", "UTF-8로 저장하세요"),
    ("the file is UTF-16 or UTF-32", "파일이 UTF-16이나 UTF-32입니다"), ("save it as UTF-8", "UTF-8로 저장하세요"),
    ("single quotation mark", "작은따옴표가 있습니다"), (#"use double quotes: "…""#, #"큰따옴표를 쓰세요: "…""#),
    ("comment, which JSON doesn't allow", "JSON에는 주석을 쓸 수 없습니다"),
    ("typographic quotation mark", "둥근 따옴표가 있습니다"),
    (#"use the straight one: ""#, #"곧은 따옴표를 쓰세요: ""#), ("full-width <1>", "전각 문자 <1>이(가) 있습니다"),
    ("use the ASCII character", "반각 문자를 쓰세요"), ("invisible character <1>", "보이지 않는 문자 <1>이(가) 있습니다"),
    ("expected a value, not <1>", "값이 있어야 할 곳에 <1>이(가) 있습니다"),
    ("expected a key, not <1>", "이름이 있어야 할 곳에 <1>이(가) 있습니다"),
    ("word without quotes", "따옴표가 없습니다"), ("write it in double quotes", "큰따옴표로 묶으세요"),
    ("key without quotes", "이름에 따옴표가 없습니다"),
    ("key that is not a string", "이름이 문자열이 아닙니다"), ("expected : after the key", "이름 뒤에 :이 없습니다"),
    ("write : instead of =", "= 대신 :을 쓰세요"), ("expected , or <1> after the value", "값 뒤에 쉼표나 <1> 기호가 없습니다"),
    ("add a comma here", "여기에 쉼표를 쓰세요"), ("comma before <1>", "<1> 앞에 쉼표가 있습니다"),
    ("remove the comma", "쉼표를 지우세요"),
    ("text after the end of the JSON value", "끝난 뒤에 다른 내용이 있습니다"), ("remove one of the two", "둘 중 하나를 지우세요"),
    ("the file ends before the <1> of line <2>, column <3> is closed", "<2>줄 <3>칸의 <1>를 닫지 않고 파일이 끝났습니다"),
    ("string not closed on its line", "문자열을 같은 줄에서 닫지 않았습니다"),
    (#"close it with ", or write a line break as \n"#, #""로 닫으세요. 줄바꿈은 \n으로 씁니다"#),
    ("string not closed", "문자열을 닫지 않았습니다"),
    (#"close it with ""#, #""로 닫으세요"#), ("tab in a string", "문자열에 탭이 있습니다"),
    (#"write it as \t"#, #"\t로 쓰세요"#),
    ("expected <1>, not <2>", "<1>이(가) 있어야 할 곳에 <2>이(가) 있습니다"), ("a string", "문자열"), ("a list", "목록"),
    ("a lifetime in a string", "큰따옴표로 묶은 유효 기간"), ("an object", "{ … } 묶음"),
    ("a number", "숫자"), ("true or false", "true나 false"), ("true", "true"), ("false", "false"),
    ("null", "null"),
    // Last, because it fits many remedies.
    ("write <1>", "이렇게 쓰세요: <1>"),
  ]
}
