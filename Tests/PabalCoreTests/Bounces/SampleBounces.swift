/// Bounces in the formats that servers document, and mails that resemble them.
enum SampleBounces {
  /// Gmail: Message-ID, In-Reply-To and X-Original-Message-ID are those that Gmail gave the mail.
  static let gmail = """
    Return-Path: <>
    Received: by 2002:a05:6102:d88:0:0:0:0 with SMTP id d8csp110; Fri, 20 Nov 2026 02:13:44 -0800 (PST)
    From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
    To: sender@gmail.com
    Auto-Submitted: auto-replied
    Subject: Delivery Status Notification (Failure)
    References: <CAF0rig@mail.gmail.com>
    In-Reply-To: <CAF0rig@mail.gmail.com>
    X-Failed-Recipients: nosuchuser@example.org
    Message-ID: <673db1c8.170a0220.1c8c5c.2d3a.GMR@mx.google.com>
    Date: Fri, 20 Nov 2026 02:13:44 -0800 (PST)
    MIME-Version: 1.0
    Content-Type: multipart/report; boundary="0000000000005f2b2d06275a1d2f"; report-type=delivery-status

    --0000000000005f2b2d06275a1d2f
    Content-Type: multipart/related; boundary="0000000000005f2b3b06275a1d31"

    --0000000000005f2b3b06275a1d31
    Content-Type: multipart/alternative; boundary="0000000000005f2b4206275a1d32"

    --0000000000005f2b4206275a1d32
    Content-Type: text/plain; charset="UTF-8"

    ** Address not found **

    Your message wasn't delivered to nosuchuser@example.org because the address couldn't be found.
    --0000000000005f2b4206275a1d32--
    --0000000000005f2b3b06275a1d31--
    --0000000000005f2b2d06275a1d2f
    Content-Type: message/delivery-status

    Reporting-MTA: dns; googlemail.com
    Received-From-MTA: dns; sender@gmail.com
    Arrival-Date: Fri, 20 Nov 2026 02:13:42 -0800 (PST)
    X-Original-Message-ID: <CAF0rig@mail.gmail.com>

    Final-Recipient: rfc822; nosuchuser@example.org
    Action: failed
    Status: 5.1.1
    Remote-MTA: dns; mx.example.org. (192.0.2.1, the server for the domain example.org.)
    Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.
     550 5.1.1 For more information, see https://mail.example.org/p
    Last-Attempt-Date: Fri, 20 Nov 2026 02:13:44 -0800 (PST)

    --0000000000005f2b2d06275a1d2f
    Content-Type: message/rfc822

    MIME-Version: 1.0
    Date: Fri, 20 Nov 2026 02:13:42 -0800
    Message-ID: <CAF0rig@mail.gmail.com>
    Subject: Hello
    From: sender@gmail.com
    To: nosuchuser@example.org
    Content-Type: text/plain; charset="UTF-8"

    Hello

    --0000000000005f2b2d06275a1d2f--

    """

  /// Exchange Online: codes of its own, several recipients, and comments behind addresses and codes.
  static let exchange = """
    From: Microsoft Outlook
    \t<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.example>
    To: <news@shop.example>
    Date: Fri, 20 Nov 2026 10:13:44 +0000
    Content-Type: multipart/report; report-type=delivery-status;
    \tboundary="5c1d7ab8-6a4c-4f0f-8f8e-0d7ce4d1f9f1"
    X-MS-Exchange-Message-Is-Ndr:
    Content-Language: en-US
    Message-ID: <a2bd@prod.outlook.example>
    In-Reply-To: <other@shop.example>
    References: <other@shop.example>
    Auto-Submitted: auto-replied
    Subject: Undeliverable: News
    MIME-Version: 1.0

    --5c1d7ab8-6a4c-4f0f-8f8e-0d7ce4d1f9f1
    Content-Type: multipart/alternative; differences=Content-Type;
    \tboundary="5c1d7ab8-6a4c-4f0f-8f8e-0d7ce4d1f9f1-2"

    --5c1d7ab8-6a4c-4f0f-8f8e-0d7ce4d1f9f1-2
    Content-Type: text/plain; charset="us-ascii"
    Content-Transfer-Encoding: quoted-printable

    Your message to kim@contoso.example couldn't be delivered.
    --5c1d7ab8-6a4c-4f0f-8f8e-0d7ce4d1f9f1-2--

    --5c1d7ab8-6a4c-4f0f-8f8e-0d7ce4d1f9f1
    Content-Type: message/delivery-status

    Reporting-MTA: dns;SJ0PR01.prod.outlook.example
    Received-From-MTA: dns;relay.shop.example
    Arrival-Date: Fri, 20 Nov 2026 10:13:40 +0000

    Final-Recipient: rfc822;kim@contoso.example
    Action: failed
    Status: 5.1.10 (recipient not found)
    Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
    X-Display-Name: Kim

    Final-Recipient: RFC822;<lee@contoso.example>
    Action: Failed
    Status: 5.7.1
    Diagnostic-Code: smtp;550 5.7.1 TRANSPORT.RULES.RejectMessage

    Final-Recipient: rfc822;park@contoso.example
    Action: failed
    Status: 5.2.2
    Diagnostic-Code: smtp;554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException

    Final-Recipient: rfc822;arrived@contoso.example
    Action: expanded
    Status: 2.0.0

    --5c1d7ab8-6a4c-4f0f-8f8e-0d7ce4d1f9f1
    Content-Type: message/rfc822

    Received: from relay.shop.example (192.0.2.7) by SJ0PR01.prod.outlook.example; Fri, 20 Nov 2026 10:13:40 +0000
    From: News <news@shop.example>
    To: <kim@contoso.example>
    Subject: News
    Message-ID:
    \t<m1@shop.example>

    News
    --5c1d7ab8-6a4c-4f0f-8f8e-0d7ce4d1f9f1--

    """

  /// Postfix: the header of the mail alone, an alias, and a mail that was given up after days.
  static let postfix = """
    Return-Path: <>
    Received: by mail.shop.example (Postfix)
    \tid 4B2C11F; Fri, 20 Nov 2026 10:13:44 +0000 (UTC)
    Date: Fri, 20 Nov 2026 10:13:44 +0000 (UTC)
    From: MAILER-DAEMON@mail.shop.example (Mail Delivery System)
    Subject: Undelivered Mail Returned to Sender
    To: news@shop.example
    Auto-Submitted: auto-replied
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status;
    \tboundary="7F1A51D.1763633624/mail.shop.example"
    Content-Transfer-Encoding: 8bit
    Message-Id: <20261120101344.4B2C11F@mail.shop.example>

    This is a MIME-encapsulated message.

    --7F1A51D.1763633624/mail.shop.example
    Content-Description: Notification
    Content-Type: text/plain; charset=utf-8

    This is the mail system at host mail.shop.example.

    <user@host.example.net> (expanded from <alias@example.org>): host mx.example.net[192.0.2.1] said: 550 5.1.1 User unknown

    --7F1A51D.1763633624/mail.shop.example
    Content-Description: Delivery report
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mail.shop.example
    X-Postfix-Queue-ID: 7F1A51D
    X-Postfix-Sender: rfc822; news@shop.example
    Arrival-Date: Fri, 20 Nov 2026 10:13:42 +0000 (UTC)

    Final-Recipient: rfc822; user@host.example.net
    Original-Recipient: rfc822;
        alias@example.org
    Action: failed
    Status: 5.1.1
    Remote-MTA: dns; mx.example.net
    Diagnostic-Code: smtp; 550 5.1.1 <user@host.example.net>: Recipient address
        rejected: User unknown

    Final-Recipient: rfc822; late@example.org
    Original-Recipient: rfc822;late@example.org
    Action: failed
    Status: 4.4.1
    Diagnostic-Code: X-Postfix; connect to mx.example.org[192.0.2.2]:25: Connection timed out

    --7F1A51D.1763633624/mail.shop.example
    Content-Description: Undelivered Message Headers
    Content-Type: text/rfc822-headers
    Content-Transfer-Encoding: 8bit

    Return-Path: <news@shop.example>
    Date: Fri, 20 Nov 2026 10:13:42 +0000
    From: news@shop.example
    To: alias@example.org
    Message-Id: <m1@shop.example>
    Subject: News

    --7F1A51D.1763633624/mail.shop.example--

    """

  /// Exim: a field with a general status, and no Message-ID but that of the returned header.
  static let exim = """
    X-Failed-Recipients: kim@example.org
    Auto-Submitted: auto-replied
    From: Mail Delivery System <Mailer-Daemon@mail.shop.example>
    To: news@shop.example
    Content-Type: multipart/report; report-type=delivery-status; boundary=1764591686-eximdsn-1804289383
    MIME-Version: 1.0
    Subject: Mail delivery failed: returning message to sender
    Message-Id: <E1vQ2bC-0000001@mail.shop.example>
    Date: Fri, 20 Nov 2026 10:13:44 +0000

    --1764591686-eximdsn-1804289383
    Content-type: text/plain; charset=us-ascii

    This message was created automatically by mail delivery software.

      kim@example.org
        host mx.example.org [192.0.2.1]
        SMTP error from remote mail server after RCPT TO:<kim@example.org>:
        550 5.1.1 User unknown

    --1764591686-eximdsn-1804289383
    Content-type: message/delivery-status

    Reporting-MTA: dns; mail.shop.example

    Action: failed
    Final-Recipient: rfc822;kim@example.org
    Status: 5.0.0
    Remote-MTA: dns; mx.example.org
    Diagnostic-Code: smtp; 550 5.1.1 User unknown

    --1764591686-eximdsn-1804289383
    Content-type: text/rfc822-headers

    Return-path: <news@shop.example>
    Message-Id: <m1@shop.example>
    Subject: News

    --1764591686-eximdsn-1804289383--

    """

  /// RFC 6533, with an escaped address, and the returned header in base64.
  static let international = """
    From: mailer@mail.example
    Auto-Submitted: auto-replied
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type="global-delivery-status"; boundary=b

    --b
    Content-Type: text/plain; charset=utf-8

    돌아온 메일

    --b
    Content-Type: message/global-delivery-status
    Content-Transfer-Encoding: quoted-printable

    Reporting-MTA: dns; mail.example

    Original-Recipient: utf-8; \\x{AE40}@=ED=95=9C.example
    Final-Recipient: utf-8; =EA=B9=80@=ED=95=9C.example
    Action: failed
    Status: 5.1.1

    --b
    Content-Type: message/global-headers
    Content-Transfer-Encoding: base64

    U3ViamVjdDog7KO866y4DQpNZXNzYWdlLUlEOiA8bTFAc2hvcC5leGFtcGxlPg0KDQo=
    --b--

    """

  /// A vacation responder (RFC 3834).
  static let vacation = """
    From: kim@example.org
    To: news@shop.example
    Auto-Submitted: auto-replied
    In-Reply-To: <m1@shop.example>
    Subject: Out of office: failed
    Content-Type: text/plain

    I am away. Final-Recipient: rfc822; kim@example.org
    Action: failed
    Status: 5.1.1

    """

  /// A report as an attachment of a person's mail.
  static let forwarded =
    "From: kim@example.org\nContent-Type: multipart/mixed; boundary=outer\nIn-Reply-To: <m1@shop.example>\n\n"
    + "--outer\nContent-Type: text/plain\n\nSee below.\n--outer\nContent-Type: message/rfc822\n\n\(postfix)\n--outer--\n"

  /// A report in the text of a person's mail.
  static let quoted =
    "From: kim@example.org\nContent-Type: text/plain\nIn-Reply-To: <m1@shop.example>\n\n"
    + postfix.split(separator: "\n", omittingEmptySubsequences: false).map { "> \($0)" }.joined(
      separator: "\n")

  /// A report that doesn't say which mail it is about.
  static let anonymous = postfix.replacing("Message-Id: <m1@shop.example>\n", with: "")
}
