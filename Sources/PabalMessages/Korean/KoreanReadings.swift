/// The Korean readings of names and words in Latin letters that aren't read letter by letter.
///
/// Only their last sounds matter, because they select the particles: 구글은, 라인은, 애플은.
enum KoreanReadings {
  /// Returns the last sound of a word, in lower-case ASCII letters, as Koreans read it; `nil` if it isn't listed.
  static func lastSound(of word: String) -> LastSound? { lastSounds[word] }

  /// Made on first use, from the bytes, because splitting by `Character` takes several times as long.
  private static let lastSounds: [String: LastSound] = {
    var sounds = [String: LastSound](minimumCapacity: 512)
    for entry in all.utf8.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }) {
      let pair = entry.split(separator: UInt8(ascii: "="))
      guard pair.count == 2, let last = Substring(pair[1]).unicodeScalars.last,
        let sound = LastSound(hangul: last)
      else { preconditionFailure("\(Substring(entry)) has no Hangul reading") }
      sounds[String(Substring(pair[0]))] = sound
    }
    return sounds
  }()

  /// All listed words.
  static var words: [String] { lastSounds.keys.sorted() }

  /// The length of the longest word that is looked up; strings of this length need no memory of their own.
  static let maxLength = 15

  /// Names as their owners write them in Korea, then last words of other names, then abbreviations with vowels that are
  /// read letter by letter all the same.
  private static let all = """
    google=구글 apple=애플 line=라인 iphone=아이폰 ipad=아이패드 imac=아이맥 macbook=맥북 mac=맥 ios=아이오에스 macos=맥오에스
    android=안드로이드 galaxy=갤럭시 samsung=삼성 hyundai=현대 kia=기아 lotte=롯데 shinsegae=신세계 hanwha=한화 doosan=두산
    posco=포스코 hanjin=한진 celltrion=셀트리온 naver=네이버 kakao=카카오 kakaotalk=카카오톡 kakaobank=카카오뱅크
    kakaopay=카카오페이 daum=다음 coupang=쿠팡 baemin=배민 toss=토스 karrot=당근 danggeun=당근 musinsa=무신사 yanolja=야놀자
    zigbang=직방 watcha=왓챠 tving=티빙 wavve=웨이브 melon=멜론 bugs=벅스 genie=지니 gmarket=지마켓 auction=옥션 wadiz=와디즈
    krafton=크래프톤 nexon=넥슨 netmarble=넷마블 smilegate=스마일게이트 upbit=업비트 bithumb=빗썸 wemakeprice=위메프
    tmon=티몬 oliveyoung=올리브영 emart=이마트 homeplus=홈플러스 korail=코레일 hybe=하이브 pabal=파발 korea=코리아 seoul=서울
    microsoft=마이크로소프트 windows=윈도우 azure=애저 xbox=엑스박스 outlook=아웃룩 office=오피스 teams=팀즈 excel=엑셀
    powerpoint=파워포인트 skype=스카이프 bing=빙 linkedin=링크드인 github=깃허브 gitlab=깃랩 bitbucket=비트버킷 copilot=코파일럿
    amazon=아마존 alexa=알렉사 kindle=킨들 twitch=트위치 facebook=페이스북 instagram=인스타그램 whatsapp=왓츠앱 meta=메타
    threads=스레드 messenger=메신저 twitter=트위터 tiktok=틱톡 snapchat=스냅챗 pinterest=핀터레스트 reddit=레딧 discord=디스코드
    telegram=텔레그램 signal=시그널 slack=슬랙 notion=노션 figma=피그마 canva=캔바 zoom=줌 dropbox=드롭박스 evernote=에버노트
    trello=트렐로 jira=지라 asana=아사나 linear=리니어 atlassian=아틀라시안 confluence=컨플루언스 miro=미로 webex=웹엑스
    netflix=넷플릭스 disney=디즈니 youtube=유튜브 spotify=스포티파이 hulu=훌루 chrome=크롬 gmail=지메일 firefox=파이어폭스
    mozilla=모질라 safari=사파리 edge=엣지 opera=오페라 whale=웨일 chatgpt=챗지피티 openai=오픈에이아이 claude=클로드
    anthropic=앤트로픽 gemini=제미나이 perplexity=퍼플렉시티 deepl=딥엘 grammarly=그래머리 nvidia=엔비디아 intel=인텔
    qualcomm=퀄컴 oracle=오라클 salesforce=세일즈포스 adobe=어도비 photoshop=포토샵 acrobat=아크로뱃 cisco=시스코 dell=델
    lenovo=레노버 asus=에이수스 huawei=화웨이 xiaomi=샤오미 sony=소니 playstation=플레이스테이션 nintendo=닌텐도 switch=스위치
    steam=스팀 roblox=로블록스 minecraft=마인크래프트 unity=유니티 unreal=언리얼 blizzard=블리자드 riot=라이엇 epic=에픽
    tesla=테슬라 uber=우버 grab=그랩 airbnb=에어비앤비 agoda=아고다 expedia=익스피디아 trip=트립 booking=부킹 hotels=호텔스
    paypal=페이팔 stripe=스트라이프 visa=비자 mastercard=마스터카드 amex=아멕스 binance=바이낸스 coinbase=코인베이스 bitcoin=비트코인
    ethereum=이더리움 shopify=쇼피파이 ebay=이베이 alibaba=알리바바 aliexpress=알리익스프레스 temu=테무 shein=쉬인 rakuten=라쿠텐
    ikea=이케아 nike=나이키 adidas=아디다스 starbucks=스타벅스 costco=코스트코 uniqlo=유니클로 zara=자라 lego=레고 fedex=페덱스
    docker=도커 kubernetes=쿠버네티스 linux=리눅스 ubuntu=우분투 debian=데비안 swift=스위프트 python=파이썬 java=자바
    javascript=자바스크립트 rust=러스트 node=노드 react=리액트 postgres=포스트그레스 redis=레디스 mongodb=몽고디비 firebase=파이어베이스
    supabase=수파베이스 vercel=버셀 netlify=네트리파이 heroku=헤로쿠 cloudflare=클라우드플레어 datadog=데이터독 sentry=센트리
    grafana=그라파나 okta=옥타 auth=오스 twilio=트윌리오 sendgrid=센드그리드 mailchimp=메일침프 zendesk=젠데스크 intercom=인터컴
    hubspot=허브스팟 wordpress=워드프레스 medium=미디엄 substack=서브스택 wikipedia=위키피디아 duolingo=듀오링고 coursera=코세라
    udemy=유데미 nasa=나사 unesco=유네스코 unicef=유니세프 fifa=피파 nato=나토 kaist=카이스트 postech=포스텍 unist=유니스트
    com=컴 net=넷 app=앱 dev=데브 shop=숍 store=스토어 mall=몰 market=마켓 mart=마트 pay=페이 bank=뱅크 card=카드 mail=메일
    email=이메일 talk=톡 chat=챗 works=웍스 work=워크 cloud=클라우드 drive=드라이브 music=뮤직 video=비디오 play=플레이 game=게임
    games=게임즈 studio=스튜디오 studios=스튜디오스 lab=랩 labs=랩스 hub=허브 box=박스 link=링크 note=노트 notes=노트 book=북
    books=북스 news=뉴스 home=홈 house=하우스 live=라이브 life=라이프 care=케어 plus=플러스 pro=프로 max=맥스 mini=미니 air=에어
    prime=프라임 premium=프리미엄 basic=베이직 free=프리 team=팀 group=그룹 company=컴퍼니 center=센터 service=서비스 services=서비스
    school=스쿨 academy=아카데미 class=클래스 club=클럽 space=스페이스 network=네트워크 mobile=모바일 phone=폰 web=웹 site=사이트
    online=온라인 world=월드 land=랜드 park=파크 map=맵 maps=맵 meet=미트 calendar=캘린더 photo=포토 photos=포토 search=서치
    admin=어드민 demo=데모 test=테스트 beta=베타 system=시스템 systems=시스템즈 soft=소프트 tech=테크 digital=디지털 media=미디어
    design=디자인 fashion=패션 food=푸드 delivery=딜리버리 express=익스프레스 travel=트래블 hotel=호텔 golf=골프 fit=핏
    health=헬스 insurance=인슈어런스 energy=에너지 robotics=로보틱스 security=시큐리티 data=데이터 point=포인트 points=포인트
    pass=패스 ticket=티켓 coin=코인 wallet=월렛 trade=트레이드 invest=인베스트 capital=캐피탈 partners=파트너스 ventures=벤처스
    ibm=아이비엠 aws=에이더블유에스 sap=에스에이피 api=에이피아이 usb=유에스비 usa=유에스에이 uae=유에이이 ups=유피에스 ebs=이비에스
    kbo=케이비오 nba=엔비에이 epl=이피엘 ufc=유에프씨 ott=오티티 iot=아이오티 otp=오티피 url=유알엘 esg=이에스지 ceo=시이오
    """
}
