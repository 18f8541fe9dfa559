package exchangetest

import (
	"slices"
	"strings"
)

// Names that many requests share, as in types.xsd.
const (
	specialNames = "calendar contacts deleteditems drafts inbox journal notes outbox sentitems tasks msgfolderroot " +
		"publicfoldersroot root junkemail searchfolders voicemail recoverableitemsroot recoverableitemsdeletions " +
		"recoverableitemsversions recoverableitemspurges recoverableitemsdiscoveryholds archiveroot archivemsgfolderroot " +
		"archivedeleteditems archiveinbox archiverecoverableitemsroot archiverecoverableitemsdeletions " +
		"archiverecoverableitemsversions archiverecoverableitemspurges archiverecoverableitemsdiscoveryholds syncissues " +
		"conflicts localfailures serverfailures recipientcache quickcontacts conversationhistory adminauditlogs todosearch " +
		"mycontacts directory imcontactlist peopleconnect favorites mecontact personmetadata teamspaceactivity " +
		"teamspacemessaging teamspaceworkitems scheduled orionnotes tagitems alltaggeditems externalcontacts teamchat " +
		"teamchathistory yammerroot yammerinbound yammeroutbound yammerfeeds onedriveroot onedriverecylebin onedrivesystem " +
		"onedrivevolume important starred archive"

	folderFields = "FolderId ParentFolderId DisplayName UnreadCount TotalCount ChildFolderCount FolderClass SearchParameters " +
		"ManagedFolderInformation PermissionSet EffectiveRights SharingEffectiveRights DistinguishedFolderId PolicyTag " +
		"ArchiveTag ReplicaList"

	itemFields = "ItemId ParentFolderId ItemClass MimeContent Attachments Subject DateTimeReceived Size Categories " +
		"HasAttachments Importance InReplyTo InternetMessageHeaders IsAssociated IsDraft IsFromMe IsResend IsSubmitted " +
		"IsUnmodified DateTimeSent DateTimeCreated Body ResponseObjects Sensitivity ReminderDueBy ReminderIsSet " +
		"ReminderNextTime ReminderMinutesBeforeStart DisplayTo DisplayCc DisplayBcc Culture EffectiveRights " +
		"LastModifiedName LastModifiedTime ConversationId UniqueBody Flag StoreEntryId InstanceKey NormalizedBody " +
		"EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview PredictedActionReasons IsClutter " +
		"RightsManagementLicenseData BlockStatus HasBlockedImages WebClientReadFormQueryString " +
		"WebClientEditFormQueryString TextBody IconIndex MimeContentUTF8 Mentions MentionedMe MentionsPreview MentionsEx " +
		"Hashtags AppliedHashtags AppliedHashtagsPreview Likes LikesPreview PendingSocialActivityTagIds AtAllMention " +
		"CanDelete InferenceClassification FirstBody"

	messageFields = "ConversationIndex ConversationTopic InternetMessageId IsRead IsResponseRequested " +
		"IsReadReceiptRequested IsDeliveryReceiptRequested ReceivedBy ReceivedRepresenting References ReplyTo From Sender " +
		"ToRecipients CcRecipients BccRecipients ApprovalRequestData VotingInformation ReminderMessageData " +
		"PublishedCalendarItemIcs PublishedCalendarItemName MessageSafety"

	// itemElements and messageElements are the children of t:Item and t:Message in their order.
	itemElements = "MimeContent ItemId ParentFolderId ItemClass=string Subject=string Sensitivity Body Attachments " +
		"DateTimeReceived=dateTime Size=int Categories Importance InReplyTo=string IsSubmitted=boolean IsDraft=boolean " +
		"IsFromMe=boolean IsResend=boolean IsUnmodified=boolean InternetMessageHeaders=any DateTimeSent=dateTime " +
		"DateTimeCreated=dateTime ResponseObjects=any ReminderDueBy=dateTime ReminderIsSet=boolean ReminderNextTime=string " +
		"ReminderMinutesBeforeStart=string DisplayCc=string DisplayTo=string DisplayBcc=string HasAttachments=boolean " +
		"ExtendedProperty Culture=string EffectiveRights=any LastModifiedName=string LastModifiedTime=dateTime " +
		"IsAssociated=boolean WebClientReadFormQueryString=string WebClientEditFormQueryString=string ConversationId=ItemId " +
		"UniqueBody=Body Flag=any StoreEntryId=base64 InstanceKey=base64 NormalizedBody=Body EntityExtractionResult=any " +
		"PolicyTag=any ArchiveTag=any RetentionDate=dateTime Preview=string RightsManagementLicenseData=any " +
		"PredictedActionReasons=any IsClutter=boolean BlockStatus=boolean HasBlockedImages=boolean TextBody=Body " +
		"IconIndex=string SearchKey=base64 SortKey=string Hashtags=any Mentions=any MentionedMe=boolean MentionsPreview=any " +
		"MentionsEx=any AppliedHashtags=any AppliedHashtagsPreview=any Likes=any LikesPreview=any " +
		"PendingSocialActivityTagIds=any AtAllMention=boolean CanDelete=boolean InferenceClassification=string"

	messageElements = "Sender=SingleRecipient ToRecipients=Recipients CcRecipients=Recipients BccRecipients=Recipients " +
		"IsReadReceiptRequested=boolean IsDeliveryReceiptRequested=boolean ConversationIndex=base64 " +
		"ConversationTopic=string From=SingleRecipient InternetMessageId=string IsRead=boolean " +
		"IsResponseRequested=boolean References=string ReplyTo=Recipients ReceivedBy=SingleRecipient " +
		"ReceivedRepresenting=SingleRecipient ApprovalRequestData=any VotingInformation=any ReminderMessageData=any " +
		"MessageSafety=any SenderSMTPAddress=string MailboxGuids=any PublishedCalendarItemIcs=string " +
		"PublishedCalendarItemName=string"

	// calendarElements, contactElements and taskElements are the children of t:CalendarItem, t:Contact and t:Task behind those of t:Item.
	calendarElements = "UID=string RecurrenceId=dateTime DateTimeStamp=dateTime Start=dateTime End=dateTime OriginalStart=dateTime " +
		"IsAllDayEvent=boolean LegacyFreeBusyStatus=BusyWord Location=string When=string IsMeeting=boolean IsCancelled=boolean " +
		"IsRecurring=boolean MeetingRequestWasSent=boolean IsResponseRequested=boolean CalendarItemType=string MyResponseType=string " +
		"Organizer=SingleRecipient RequiredAttendees=Attendees OptionalAttendees=Attendees Resources=Attendees InboxReminders=any " +
		"ConflictingMeetingCount=int AdjacentMeetingCount=int ConflictingMeetings=any AdjacentMeetings=any Duration=string TimeZone=string " +
		"AppointmentReplyTime=dateTime AppointmentSequenceNumber=int AppointmentState=int Recurrence FirstOccurrence=any LastOccurrence=any " +
		"ModifiedOccurrences=any DeletedOccurrences=any MeetingTimeZone StartTimeZone=ZoneDefinition EndTimeZone=ZoneDefinition " +
		"ConferenceType=int AllowNewTimeProposal=boolean IsOnlineMeeting=boolean MeetingWorkspaceUrl=string NetShowUrl=string " +
		"EnhancedLocation=any StartWallClock=dateTime EndWallClock=dateTime StartTimeZoneId=string EndTimeZoneId=string " +
		"IntendedFreeBusyStatus=BusyWord JoinOnlineMeetingUrl=string OnlineMeetingSettings=any IsOrganizer=boolean " +
		"CalendarActivityData=any DoNotForwardMeeting=boolean"

	contactElements = "FileAs=string FileAsMapping=string DisplayName=string GivenName=string Initials=string MiddleName=string " +
		"Nickname=string CompleteName=any CompanyName=string EmailAddresses AbchEmailAddresses=any PhysicalAddresses PhoneNumbers " +
		"AssistantName=string Birthday=dateTime BusinessHomePage=string Children=Categories Companies=Categories ContactSource=string " +
		"Department=string Generation=string ImAddresses JobTitle=string Manager=string Mileage=string OfficeLocation=string " +
		"PostalAddressIndex=PostalWord Profession=string SpouseName=string Surname=string WeddingAnniversary=dateTime HasPicture=boolean " +
		"PhoneticFullName=string PhoneticFirstName=string PhoneticLastName=string Alias=string Notes=string Photo=base64 " +
		"UserSMIMECertificate=any MSExchangeCertificate=any DirectoryId=string ManagerMailbox=SingleRecipient DirectReports=any " +
		"AccountName=string IsAutoUpdateDisabled=boolean IsMessengerEnabled=boolean Comment=string ContactShortId=int ContactType=string " +
		"Gender=string IsHidden=boolean"

	taskElements = "ActualWork=int AssignedTime=dateTime BillingInformation=string ChangeCount=int Companies=Categories " +
		"CompleteDate=dateTime Contacts=Categories DelegationState=string Delegator=string DueDate=dateTime IsAssignmentEditable=int " +
		"IsComplete=boolean IsRecurring=boolean IsTeamTask=boolean Mileage=string Owner=string PercentComplete=double " +
		"Recurrence=TaskRecurrence StartDate=dateTime Status=TaskWord StatusDescription=string TotalWork=int"

	postElements = "ConversationIndex=base64 ConversationTopic=string From=SingleRecipient InternetMessageId=string IsRead=boolean " +
		"PostedTime=dateTime References=string Sender=SingleRecipient"

	folderElements = "FolderId ParentFolderId=FolderId FolderClass=string DisplayName=string TotalCount=int " +
		"ChildFolderCount=int ExtendedProperty* ManagedFolderInformation=any EffectiveRights=any " +
		"DistinguishedFolderId=specialText PolicyTag=any ArchiveTag=any ReplicaList=any SharingEffectiveRights=any " +
		"PermissionSet=any UnreadCount=int SearchParameters=any"

	path        = "t:FieldURI|t:IndexedFieldURI|t:ExtendedFieldURI"
	folderIDs   = "t:FolderId|t:DistinguishedFolderId"
	targetID    = "t:FolderId|t:DistinguishedFolderId|t:AddressListId"
	itemIDs     = "t:ItemId|t:OccurrenceItemId|t:RecurringMasterItemId"
	otherItems  = "SharingMessage DistributionList MeetingMessage MeetingRequest MeetingResponse MeetingCancellation RoleMember Network Person"
	knownItems  = "Item Message CalendarItem Contact Task PostItem"
	replyItems  = "ReplyToItem ForwardItem ReplyAllToItem AcceptItem TentativelyAcceptItem DeclineItem CancelCalendarItem RemoveItem SuppressReadReceipt PostReplyItem AcceptSharingInvitation"
	anyFolder   = "t:Folder|t:CalendarFolder=Folder|t:ContactsFolder=Folder|t:SearchFolder=Folder|t:TasksFolder=Folder"
	disposition = "SaveOnly|SendOnly|SendAndSaveCopy"
)

// namesIn are the names in a list of elements.
func namesIn(elements string) []string {
	list := strings.Fields(elements)
	for i := range list {
		list[i], _, _ = strings.Cut(list[i], "=")
	}
	return list
}

// fieldText checks a FieldURI. The lists for folders, items, messages, appointments
// and tasks are whole; of the other classes any name will do.
func fieldText() func(string) string {
	known := map[string][]string{
		"folder": strings.Fields(folderFields), "item": strings.Fields(itemFields), "message": strings.Fields(messageFields),
		"calendar": namesIn(calendarElements), "task": namesIn(taskElements),
	}
	others := strings.Fields("sharingMessage meeting meetingRequest contacts distributionlist postitem " +
		"conversation persona person rolemember network abchperson booking insight")
	return func(s string) string {
		class, name, _ := strings.Cut(s, ":")
		if list, ok := known[class]; ok && slices.Contains(list, name) || slices.Contains(others, class) && name != "" {
			return ""
		}
		return "The Enumeration constraint failed."
	}
}

// requestSchema is the schema of the requests that the server answers, by operation, and of the SOAP headers.
func requestSchema() schema {
	s := schema{}
	s.defineBasics()
	s.defineItems()
	s.defineFolderRequests()
	s.defineItemRequests()
	s.defineNotifications()
	s.defineMore()
	s.defineHeaders()
	return s
}

func (s schema) defineBasics() {
	s.defineAny("any")
	for _, name := range []string{"int", "boolean", "base64", "dateTime", "date", "double"} {
		s.defineText(name, name)
	}
	s.defineText("string", "")
	s.defineText("specialText", "special")
	s.define("FolderId", "Id! ChangeKey")
	s.define("ItemId", "Id! ChangeKey")
	s.define("AddressListId", "Id!")
	s.define("OccurrenceItemId", "RecurringMasterId! ChangeKey InstanceIndex!=int")
	s.define("RecurringMasterItemId", "OccurrenceId! ChangeKey")
	s.define("DistinguishedFolderId", "Id!=special ChangeKey", "t:Mailbox?")
	s.define("Mailbox", "", "t:Name=string?", "t:EmailAddress=string?", "t:RoutingType=string?", "t:MailboxType=string?",
		"t:ItemId?", "t:OriginalDisplayName=string?")
	s.define("FieldURI", "FieldURI!=field")
	s.define("IndexedFieldURI", "FieldURI! FieldIndex!")
	s.define("ExtendedFieldURI", "DistinguishedPropertySetId=Meeting|Appointment|Common|PublicStrings|Address|InternetHeaders|"+
		"CalendarAssistant|UnifiedMessaging|Task|Sharing PropertySetId=guid PropertyTag=tag PropertyName PropertyId=int "+
		"PropertyType!="+strings.ReplaceAll(propertyTypes, " ", "|"))
	s.define("ExtendedProperty", "", "t:ExtendedFieldURI", "t:Value=string|t:Values")
	s.define("Values", "", "t:Value=string+")
	s.define("AdditionalProperties", "", path+"+")
	s.defineText("BaseShape", "IdOnly|Default|AllProperties|PcxPeopleSearch")
	s.define("FolderShape", "", "t:BaseShape", "t:AdditionalProperties?")
	s.defineText("BodyKind", "Best|HTML|Text")
	s.define("ItemShape", "", "t:BaseShape", "t:IncludeMimeContent=boolean?", "t:BodyType=BodyKind?", "t:UniqueBodyType=BodyKind?",
		"t:NormalizedBodyType=BodyKind?", "t:FilterHtmlContent=boolean?", "t:ConvertHtmlCodePageToUTF8=boolean?",
		"t:InlineImageUrlTemplate=string?", "t:BlockExternalImages=boolean?", "t:AddBlankTargetToLinks=boolean?",
		"t:MaximumBodySize=int?", "t:AdditionalProperties?")
	s.define("FolderIds", "", folderIDs+"+")
	s.define("TargetId", "", targetID)
	s.define("ItemIds", "", itemIDs+"|t:RecurringMasterItemIdRanges=any+")
	s.define("IndexedView", "MaxEntriesReturned=int Offset!=int BasePoint!=Beginning|End")
	s.define("FractionalView", "MaxEntriesReturned=int Numerator!=int Denominator!=int")
}

func (s schema) defineItems() {
	s.define("MimeContent", "CharacterSet").text = anyText
	s.define("ParentFolderId", "Id! ChangeKey")
	s.defineText("Sensitivity", "Normal|Personal|Private|Confidential")
	s.defineText("Importance", "Low|Normal|High")
	s.define("Body", "BodyType!=HTML|Text IsTruncated=boolean").text = anyText
	s.define("Categories", "", "t:String=string*")
	s.define("Recipients", "", "t:Mailbox*")
	s.define("SingleRecipient", "", "t:Mailbox")
	s.define("FileAttachment", "", "t:AttachmentId=any?", "t:Name=string?", "t:ContentType=string?", "t:ContentId=string?",
		"t:ContentLocation=string?", "t:AttachmentOriginalUrl=string?", "t:Size=int?", "t:LastModifiedTime=string?",
		"t:IsInline=boolean?", "t:IsContactPhoto=boolean?", "t:Content=base64?")
	s.define("ItemAttachment", "", "t:AttachmentId=any?", "t:Name=string?", "t:ContentType=string?", "t:ContentId=string?",
		"t:ContentLocation=string?", "t:AttachmentOriginalUrl=string?", "t:Size=int?", "t:LastModifiedTime=string?",
		"t:IsInline=boolean?", choice(knownItems+" "+otherItems)+"?")
	s.define("Attachments", "", "t:FileAttachment|t:ItemAttachment|t:ReferenceAttachment=any+")
	for name, more := range map[string]string{"Item": "", "Message": messageElements, "CalendarItem": calendarElements,
		"Contact": contactElements, "Task": taskElements, "PostItem": postElements} {
		s.define(name, "", optional(itemElements+" "+more)...)
	}
	s.defineCalendar()
	s.defineDictionaries()
	s.defineAny(strings.Fields(otherItems)...)
	s.defineAny(strings.Fields(replyItems)...)
}

func (s schema) defineCalendar() {
	s.defineText("BusyWord", "Free|Tentative|Busy|OOF|WorkingElsewhere|NoData")
	s.defineText("TaskWord", strings.Join(taskWords(), "|"))
	s.define("Attendee", "", "t:Mailbox", "t:ResponseType=string?", "t:LastResponseTime=dateTime?", "t:ProposedStart=dateTime?", "t:ProposedEnd=dateTime?")
	s.define("Attendees", "", "t:Attendee+")
	s.define("ZoneDefinition", "Id Name").any = true
	s.define("MeetingTimeZone", "TimeZoneName").any = true
	s.defineText("Days", "days")
	s.defineText("DayWord", strings.Join(dayWords(), "|"))
	s.defineText("IndexWord", strings.Join(indexWords(), "|"))
	s.defineText("MonthWord", strings.Join(monthWords(), "|"))
	relative := []string{"t:DaysOfWeek=DayWord", "t:DayOfWeekIndex=IndexWord"}
	s.define("DailyRecurrence", "", "t:Interval=int")
	s.define("WeeklyRecurrence", "", "t:Interval=int", "t:DaysOfWeek=Days", "t:FirstDayOfWeek=DayWord?")
	s.define("AbsoluteMonthlyRecurrence", "", "t:Interval=int", "t:DayOfMonth=int")
	s.define("RelativeMonthlyRecurrence", "", append([]string{"t:Interval=int"}, relative...)...)
	s.define("AbsoluteYearlyRecurrence", "", "t:DayOfMonth=int", "t:Month=MonthWord")
	s.define("RelativeYearlyRecurrence", "", append(relative, "t:Month=MonthWord")...)
	s.define("NoEndRecurrence", "", "t:StartDate=date")
	s.define("EndDateRecurrence", "", "t:StartDate=date", "t:EndDate=date")
	s.define("NumberedRecurrence", "", "t:StartDate=date", "t:NumberOfOccurrences=int")
	const ends = "t:NoEndRecurrence|t:EndDateRecurrence|t:NumberedRecurrence"
	patterns := choice("RelativeYearlyRecurrence AbsoluteYearlyRecurrence RelativeMonthlyRecurrence AbsoluteMonthlyRecurrence WeeklyRecurrence DailyRecurrence")
	s.define("Recurrence", "", patterns, ends)
	s.define("TaskRecurrence", "", patterns+"|t:DailyRegeneration=DailyRecurrence|t:WeeklyRegeneration=DailyRecurrence|"+
		"t:MonthlyRegeneration=DailyRecurrence|t:YearlyRegeneration=DailyRecurrence", ends)
}

// defineDictionaries: values by key.
func (s schema) defineDictionaries() {
	s.defineText("PostalWord", "None|Home|Business|Other")
	dictionary := func(name, attributes string, keys []entry) {
		var words []string
		for _, k := range keys {
			words = append(words, k.key)
		}
		s.define(name+"Entry", "Key!="+strings.Join(words, "|")+attributes).text = anyText
		s.define(name, "", "t:Entry="+name+"Entry+")
	}
	dictionary("EmailAddresses", " Name RoutingType MailboxType", emailKeys())
	dictionary("PhoneNumbers", "", append(phoneKeys(), entry{key: "BusinessMobile"}, entry{key: "IPPhone"}, entry{key: "Mms"}, entry{key: "Msn"}))
	dictionary("ImAddresses", "", []entry{{key: "ImAddress1"}, {key: "ImAddress2"}, {key: "ImAddress3"}})
	var parts []string
	for _, name := range postalParts() {
		parts = append(parts, "t:"+name+"=string?")
	}
	s.define("PlaceEntry", "Key!=Home|Business|Other", parts...)
	s.define("PhysicalAddresses", "", "t:Entry=PlaceEntry+")
}

// optional makes particles of a list of elements; of ExtendedProperty there may be many.
func optional(list string) []string {
	var particles []string
	for _, name := range strings.Fields(list) {
		switch {
		case name == "ExtendedProperty":
			name += "*"
		case !strings.HasSuffix(name, "*"):
			name += "?"
		}
		particles = append(particles, "t:"+name)
	}
	return particles
}

func choice(names string) string { return "t:" + strings.ReplaceAll(names, " ", "|t:") }

func (s schema) defineFolderRequests() {
	s.define("GetFolder", "", "m:FolderShape", "m:FolderIds")
	s.define("FindFolder", "Traversal!=Shallow|Deep|SoftDeleted", "m:FolderShape",
		"m:IndexedPageFolderView=IndexedView|m:FractionalPageFolderView=FractionalView?", "m:Restriction=any?", "m:ParentFolderIds=FolderIds")
	s.define("Folder", "", optional(folderElements)...)
	s.define("Folders", "", anyFolder+"+")
	s.define("CreateFolder", "", "m:ParentFolderId=TargetId", "m:Folders")
	s.define("SetFolderField", "", path, anyFolder)
	s.define("AppendToFolderField", "", path, anyFolder)
	s.define("DeleteFolderField", "", path)
	s.define("FolderUpdates", "", "t:AppendToFolderField|t:SetFolderField|t:DeleteFolderField+")
	s.define("FolderChange", "", folderIDs, "t:Updates=FolderUpdates")
	s.define("FolderChanges", "", "t:FolderChange+")
	s.define("UpdateFolder", "", "m:FolderChanges")
	s.define("DeleteFolder", "DeleteType!=HardDelete|SoftDelete|MoveToDeletedItems", "m:FolderIds")
	s.define("SyncFolderHierarchy", "", "m:FolderShape", "m:SyncFolderId=TargetId?", "m:SyncState=string?")
}

func (s schema) defineItemRequests() {
	s.define("Ignore", "", "t:ItemId*")
	s.define("MaxChangesReturned", "").text = rangeText(1, 512)
	s.defineText("SyncScope", "NormalItems|NormalAndAssociatedItems")
	s.define("SyncFolderItems", "", "m:ItemShape", "m:SyncFolderId=TargetId", "m:SyncState=string?", "m:Ignore?",
		"m:MaxChangesReturned", "m:SyncScope?")
	s.define("FieldOrder", "Order!=Ascending|Descending", path)
	s.define("SortOrder", "", "t:FieldOrder+")
	s.define("CalendarView", "MaxEntriesReturned=int StartDate!=dateTime EndDate!=dateTime")
	s.define("FindItem", "Traversal!=Shallow|SoftDeleted|Associated", "m:ItemShape",
		"m:IndexedPageItemView=IndexedView|m:FractionalPageItemView=FractionalView|m:SeekToConditionPageItemView=any|m:CalendarView|m:ContactsView=any?",
		"m:GroupBy=any|m:DistinguishedGroupBy=any?", "m:Restriction=any?", "m:SortOrder?", "m:ParentFolderIds=FolderIds", "m:QueryString=any?")
	s.define("GetItem", "", "m:ItemShape", "m:ItemIds")
	all := choice(knownItems + " " + otherItems)
	s.define("NewItems", "", all+"|"+choice(replyItems)+"+")
	s.define("CreateItem", "MessageDisposition="+disposition+" SendMeetingInvitations=SendToNone|SendOnlyToAll|SendToAllAndSaveCopy",
		"m:SavedItemFolderId=TargetId?", "m:Items=NewItems")
	s.define("SetItemField", "", path, all)
	s.define("AppendToItemField", "", path, all)
	s.define("DeleteItemField", "", path)
	s.define("ItemUpdates", "", "t:AppendToItemField|t:SetItemField|t:DeleteItemField+")
	s.define("ItemChange", "", itemIDs, "t:Updates=ItemUpdates", "t:CalendarActivityData=any?")
	s.define("ItemChanges", "", "t:ItemChange+")
	s.define("UpdateItem", "ConflictResolution!=NeverOverwrite|AutoResolve|AlwaysOverwrite MessageDisposition="+disposition+
		" SendMeetingInvitationsOrCancellations=SendToNone|SendOnlyToAll|SendOnlyToChanged|SendToAllAndSaveCopy|SendToChangedAndSaveCopy"+
		" SuppressReadReceipts=boolean", "m:SavedItemFolderId=TargetId?", "m:ItemChanges")
	s.define("MoveItem", "", "m:ToFolderId=TargetId", "m:ItemIds", "m:ReturnNewItemIds=boolean?")
	s.define("DeleteItem", "DeleteType!=HardDelete|SoftDelete|MoveToDeletedItems SendMeetingCancellations=SendToNone|SendOnlyToAll|SendToAllAndSaveCopy"+
		" AffectedTaskOccurrences=AllOccurrences|SpecifiedOccurrenceOnly SuppressReadReceipts=boolean", "m:ItemIds")
	s.define("ExportIds", "", "t:ItemId+")
	s.define("ExportItems", "", "m:ItemIds=ExportIds")
	s.define("Data", "").text = dataText
	s.define("UploadItem", "CreateAction!=CreateNew|Update|UpdateOrCreate IsAssociated=boolean", "t:ParentFolderId", "t:ItemId?", "t:Data")
	s.define("UploadItemList", "", "t:Item=UploadItem+")
	s.define("UploadItems", "", "m:Items=UploadItemList")
}

// dataText checks what bodyReader left of a Data element.
func dataText(s string) string {
	if _, ok := reference(s); ok || strings.TrimSpace(s) == "" {
		return ""
	}
	return "The string is not a valid Base64 value."
}

func (s schema) defineHeaders() {
	s.define("RequestServerVersion", "Version!")
	s.define("ExchangeImpersonation", "", "t:ConnectingSID")
	s.define("ConnectingSID", "", "t:PrincipalName=address|t:SID=address|t:PrimarySmtpAddress=address|t:SmtpAddress=address")
	s.define("address", "").text = patternText(`(?s).*\S.*`)
}
