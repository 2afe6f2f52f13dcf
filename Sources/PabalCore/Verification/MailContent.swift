struct MailContent { let octets: [UInt8]; init(_ mail: Mail) { octets = mail.octets } }
