package mapi

// Summarize leaves Size to the caller, who knows the size of the blob.
func Summarize(m *Message) Summary {
	s, _ := DecodeSummary(AppendSummary(make([]byte, 0, usualSummary), m, 0)) // what was just written is understood
	return s
}

// AppendSummary appends m's summary as Encode gives it; size is that of the blob. The texts go from m to dst and nowhere else: a
// message has many, and lists of items are long.
func AppendSummary(dst []byte, m *Message, size int64) []byte {
	codePage := m.Properties.CodePage()
	b := append(dst, summaryVersion)
	b = appendText(b, summaryClass, func(b []byte) []byte { return m.Properties.appendText(b, PidTagMessageClass) })
	b = appendText(b, summarySubject, m.appendSubject)
	b = appendText(b, summaryFrom, func(b []byte) []byte { return m.appendFrom(b, codePage) })
	b = m.appendRecipients(b, summaryTo, RecipientTo, codePage)
	b = m.appendRecipients(b, summaryCc, RecipientCc, codePage)
	b = m.appendRecipients(b, summaryBcc, RecipientBcc, codePage)
	names := m.AttachmentNames()
	for _, name := range names[:min(len(names), summaryList)] {
		b = appendString(b, summaryAttachment, name)
	}
	b = appendTime(b, summarySent, m.Sent())
	b = appendTime(b, summaryReceived, m.Received())
	b = appendFacts(b, size, m.HasAttachments(), m.Read())
	return appendText(b, summaryMessageID, func(b []byte) []byte { return m.Properties.appendText(b, PidTagInternetMessageID) })
}

// appendFrom appends m.From as a String.
func (m *Message) appendFrom(b []byte, codePage int) []byte {
	for _, f := range [...]family{represented(), sender()} {
		if text, cut := m.Properties.appendParts(b, f, codePage); len(text) > len(b) {
			return shown(text, len(b), cut)
		}
	}
	return b
}

func (m *Message) appendRecipients(b []byte, tag byte, kind int32, codePage int) []byte {
	n := 0
	for _, r := range m.Recipients {
		if n == summaryList {
			break
		}
		if RecipientKind(r) == kind {
			n++
			b = appendText(b, tag, func(b []byte) []byte {
				text, cut := r.appendParts(b, recipient(), codePage)
				return shown(text, len(b), cut)
			})
		}
	}
	return b
}

// InSummary tells of a property, by id, whether a summary is made of it, in a message, a recipient or an attachment. A reader
// that is after a summary alone may leave all others out.
func InSummary(id uint16) bool {
	switch id {
	case PidTagMessageClass, PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject, PidTagInternetMessageID,
		PidTagClientSubmitTime, PidTagMessageDeliveryTime, PidTagMessageFlags,
		PidTagMessageCodepage, PidTagInternetCodepage, PidTagMessageLocaleID,
		PidTagSentRepresentingName, PidTagSentRepresentingAddressType, PidTagSentRepresentingEmailAddress, PidTagSentRepresentingSMTPAddress,
		PidTagSenderName, PidTagSenderAddressType, PidTagSenderEmailAddress, PidTagSenderSMTPAddress,
		PidTagDisplayName, PidTagAddressType, PidTagEmailAddress, PidTagSMTPAddress, PidTagRecipientType,
		PidTagAttachLongFilename, PidTagAttachFilename, PidTagAttachmentHidden, PidTagAttachFlags, PidTagAttachContentID:
		return true
	}
	return false
}
