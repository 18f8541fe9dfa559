#!/usr/bin/env node
// Drives `mailbrick simulate` by ews-javascript-api, Microsoft's EWS Managed API in JavaScript.
//
// usage: ews_javascript_client.js EWS_URL USER PASSWORD ADDRESS
//
// Every step runs, whatever became of the one before it; the exit status is 1 when one of them failed.
const ews = require('ews-javascript-api');
const assert = require('assert');

const [url, user, password, address] = process.argv.slice(2);
const { WellKnownFolderName: Known, ExchangeVersion: Version, BasePropertySet: Base, DateTime } = ews;
const day = text => DateTime.Parse(text);

function connect(version) {
  const s = new ews.ExchangeService(version);
  s.Url = new ews.Uri(url);
  s.Credentials = new ews.WebCredentials(user, password);
  s.ImpersonatedUserId = new ews.ImpersonatedUserId(ews.ConnectingIdType.SmtpAddress, address);
  return s;
}

const all = new ews.PropertySet(Base.FirstClassProperties);
const list = c => Array.from(c.Items || c.GetEnumerator?.() || []);

const steps = {
  async folders(s) {
    const inbox = await ews.Folder.Bind(s, Known.Inbox);
    assert.strictEqual(inbox.DisplayName, 'Inbox');
    const view = new ews.FolderView(100);
    view.Traversal = ews.FolderTraversal.Deep;
    const found = await s.FindFolders(Known.MsgFolderRoot, view);
    assert(found.Folders.some(f => f.DisplayName === 'Calendar'));
    const made = new ews.Folder(s);
    made.DisplayName = 'By script';
    await made.Save(Known.Inbox);
    made.DisplayName = 'Renamed';
    await made.Update();
    const copy = await made.Copy(Known.Drafts);
    assert.strictEqual((await ews.Folder.Bind(s, copy.Id)).DisplayName, 'Renamed');
    await copy.Delete(ews.DeleteMode.HardDelete);
    await made.Move(Known.DeletedItems);
    await made.Delete(ews.DeleteMode.HardDelete);
    await s.SyncFolderHierarchy(new ews.FolderId(Known.Root), ews.PropertySet.IdOnly, null);
  },

  async messages(s) {
    const m = new ews.EmailMessage(s);
    m.Subject = 'by script';
    m.Body = new ews.MessageBody(ews.BodyType.HTML, '&lt;p>hello&lt;/p>'); // this client does not escape it
    m.ToRecipients.Add('Bea', 'b@y.example');
    m.CcRecipients.Add('c@y.example');
    m.Importance = ews.Importance.High;
    m.Categories.Add('red');
    await m.Save(Known.Drafts);
    m.Attachments.AddFileAttachment('a.txt', Buffer.from('hello').toString('base64')); // given before, this client sends it twice
    await m.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    const got = await ews.EmailMessage.Bind(s, m.Id, all);
    assert.strictEqual(got.Subject, 'by script');
    assert.strictEqual(got.ToRecipients.Items[0].Address, 'b@y.example');
    assert.strictEqual(got.Importance, ews.Importance.High);
    assert.strictEqual(got.Attachments.Items.length, 1);
    await got.Attachments.Items[0].Load();
    assert.strictEqual(Buffer.from(got.Attachments.Items[0].Base64Content, 'base64').toString(), 'hello');
    got.Subject = 'changed';
    got.IsRead = true;
    await got.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    assert.strictEqual((await ews.EmailMessage.Bind(s, m.Id)).Subject, 'changed');
    const copy = await got.Copy(Known.Inbox);
    await copy.Delete(ews.DeleteMode.SoftDelete);
    const moved = await got.Move(Known.JunkEmail);
    await moved.Delete(ews.DeleteMode.MoveToDeletedItems);
    await s.EmptyFolder(new ews.FolderId(Known.DeletedItems), ews.DeleteMode.HardDelete, true).catch(async e => {
      if (!(e instanceof TypeError)) throw e;
    });
    const sent = new ews.EmailMessage(s);
    sent.Subject = 'sent by script';
    sent.ToRecipients.Add('b@y.example');
    sent.Attachments.AddFileAttachment('b.txt', Buffer.from('x').toString('base64'));
    await sent.SendAndSaveCopy();
    const filter = new ews.SearchFilter.IsEqualTo(ews.EmailMessageSchema.Subject, 'sent by script');
    assert.strictEqual((await s.FindItems(Known.SentItems, filter, new ews.ItemView(10))).TotalCount, 1);
  },

  async appointments(s) {
    const a = new ews.Appointment(s);
    a.Subject = 'Review';
    a.Location = 'Room 7';
    a.Start = day('2026-03-23T10:00:00Z');
    a.End = day('2026-03-23T11:00:00Z');
    a.RequiredAttendees.Add('b@y.example');
    a.Body = new ews.MessageBody('agenda');
    a.ReminderMinutesBeforeStart = 30;
    a.Recurrence = new ews.Recurrence.WeeklyPattern(day('2026-03-23T10:00:00Z'), 2, [ews.DayOfTheWeek.Monday]);
    a.Recurrence.NumberOfOccurrences = 4;
    await a.Save(ews.SendInvitationsMode.SendToNone);
    const got = await ews.Appointment.Bind(s, a.Id, all);
    assert.strictEqual(got.Subject, 'Review');
    assert.strictEqual(got.Location, 'Room 7');
    assert.strictEqual(got.Start.ToISOString(), '2026-03-23T10:00:00.000Z');
    assert.strictEqual(got.RequiredAttendees.Items[0].Address, 'b@y.example');
    assert.strictEqual(got.Recurrence.NumberOfOccurrences, 4);
    assert.strictEqual(got.AppointmentType, ews.AppointmentType.RecurringMaster);
    got.Location = 'Room 8';
    await got.Update(ews.ConflictResolutionMode.AlwaysOverwrite, ews.SendInvitationsOrCancellationsMode.SendToNone);
    assert.strictEqual((await ews.Appointment.Bind(s, a.Id)).Location, 'Room 8');
    const single = new ews.Appointment(s);
    single.Subject = 'Single';
    single.Start = day('2026-04-01T10:00:00Z');
    single.End = day('2026-04-01T11:00:00Z');
    await single.Save(ews.SendInvitationsMode.SendToNone);
    const view = new ews.CalendarView(day('2026-04-01T00:00:00Z'), day('2026-04-02T00:00:00Z'));
    const seen = await s.FindAppointments(Known.Calendar, view);
    assert.deepStrictEqual(seen.Items.map(i => i.Subject), ['Single']);
    await single.Delete(ews.DeleteMode.HardDelete, ews.SendCancellationsMode.SendToNone);
    await got.Delete(ews.DeleteMode.HardDelete, ews.SendCancellationsMode.SendToNone);
  },

  async contacts(s) {
    const c = new ews.Contact(s);
    c.GivenName = 'Ada';
    c.Surname = 'Lovelace';
    c.CompanyName = 'Engines';
    c.EmailAddresses._setItem(ews.EmailAddressKey.EmailAddress1, new ews.EmailAddress('ada@x.example'));
    c.PhoneNumbers._setItem(ews.PhoneNumberKey.MobilePhone, '+1 2');
    await c.Save();
    const got = await ews.Contact.Bind(s, c.Id, all);
    assert.strictEqual(got.DisplayName, 'Ada Lovelace');
    assert.strictEqual(got.EmailAddresses._getItem(ews.EmailAddressKey.EmailAddress1).Address, 'ada@x.example');
    assert.strictEqual(got.PhoneNumbers._getItem(ews.PhoneNumberKey.MobilePhone), '+1 2');
    got.Surname = 'King';
    await got.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    assert.strictEqual((await ews.Contact.Bind(s, c.Id)).Surname, 'King');
    await got.Delete(ews.DeleteMode.HardDelete);
  },

  async tasks(s) {
    const t = new ews.Task(s);
    t.Subject = 'pay';
    t.StartDate = day('2026-05-04T00:00:00Z');
    t.DueDate = day('2026-05-05T00:00:00Z');
    t.Status = ews.TaskStatus.InProgress;
    t.PercentComplete = 40;
    await t.Save();
    const got = await ews.Task.Bind(s, t.Id, all);
    assert.strictEqual(got.PercentComplete, 40);
    assert.strictEqual(got.Status, ews.TaskStatus.InProgress);
    got.Status = ews.TaskStatus.Completed;
    await got.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    assert.strictEqual((await ews.Task.Bind(s, t.Id)).IsComplete, true);
    await got.Delete(ews.DeleteMode.HardDelete);
  },

  async finding(s) {
    for (let i = 0; i < 7; i++) {
      const m = new ews.EmailMessage(s);
      m.Subject = `page ${i}`;
      await m.Save(Known.Inbox);
    }
    const filter = new ews.SearchFilter.SearchFilterCollection(ews.LogicalOperator.And, [
      new ews.SearchFilter.ContainsSubstring(ews.ItemSchema.Subject, 'PAGE', ews.ContainmentMode.Prefixed, ews.ComparisonMode.IgnoreCase),
      new ews.SearchFilter.Not(new ews.SearchFilter.IsEqualTo(ews.ItemSchema.Subject, 'page 3'))]);
    const view = new ews.ItemView(4);
    view.OrderBy.Add(ews.ItemSchema.Subject, ews.SortDirection.Descending);
    view.PropertySet = new ews.PropertySet(Base.IdOnly, [ews.ItemSchema.Subject]);
    const subjects = [];
    for (let found; !found || found.MoreAvailable; view.Offset = found.NextPageOffset) {
      found = await s.FindItems(Known.Inbox, filter, view);
      subjects.push(...found.Items.map(i => i.Subject));
    }
    assert.deepStrictEqual(subjects, ['page 6', 'page 5', 'page 4', 'page 2', 'page 1', 'page 0']);
    const search = new ews.SearchFilter.ContainsSubstring(ews.ItemSchema.Subject, 'page');
    const ids = (await s.FindItems(Known.Inbox, search, new ews.ItemView(100))).Items.map(i => i.Id);
    await s.LoadPropertiesForItems((await s.FindItems(Known.Inbox, search, new ews.ItemView(100))).Items, all);
    await s.DeleteItems(ids, ews.DeleteMode.HardDelete, null, null);
  },

  async synchronizing(s) {
    let state = null;
    for (let more = true; more;) {
      const changes = await s.SyncFolderItems(new ews.FolderId(Known.Inbox), ews.PropertySet.IdOnly, null, 2, ews.SyncFolderItemsScope.NormalItems, state);
      state = changes.SyncState;
      more = changes.MoreChangesAvailable;
    }
    const m = new ews.EmailMessage(s);
    m.Subject = 'synced';
    await m.Save(Known.Inbox);
    const changes = await s.SyncFolderItems(new ews.FolderId(Known.Inbox), ews.PropertySet.IdOnly, null, 10, ews.SyncFolderItemsScope.NormalItems, state);
    assert.strictEqual(changes.Count, 1);
    await m.Delete(ews.DeleteMode.HardDelete);
  },

  async notifying(s) {
    const pull = await s.SubscribeToPullNotifications([new ews.FolderId(Known.Inbox)], 10, null, ews.EventType.Created, ews.EventType.Deleted);
    const m = new ews.EmailMessage(s);
    m.Subject = 'news';
    await m.Save(Known.Inbox);
    const events = await pull.GetEvents();
    assert(events.ItemEvents.some(e => e.ItemId.UniqueId === m.Id.UniqueId));
    await pull.Unsubscribe();
    const stream = await s.SubscribeToStreamingNotifications([new ews.FolderId(Known.Inbox)], ews.EventType.Deleted);
    const connection = new ews.StreamingSubscriptionConnection(s, 1);
    connection.AddSubscription(stream);
    const heard = new Promise((resolve, reject) => {
      connection.OnNotificationEvent.push((o, args) => resolve(args.Events));
      connection.OnSubscriptionError.push((o, args) => reject(args.Exception));
      setTimeout(() => reject(new Error('nothing was heard')), 20000).unref();
    });
    heard.catch(() => {});
    connection.Open(); // its promise is kept when the connection ends
    while (!connection.IsOpen) await new Promise(resolve => setTimeout(resolve, 20));
    await m.Delete(ews.DeleteMode.HardDelete);
    assert((await heard).some(e => e.EventType === ews.EventType.Deleted));
    connection.Close();
  },

  async namesAndIds(s) {
    const names = await s.ResolveName(address);
    assert.strictEqual(names._getItem ? names._getItem(0).Mailbox.Address : names.Items[0].Mailbox.Address, address);
    const inbox = await ews.Folder.Bind(s, Known.Inbox);
    const id = new ews.AlternateId(ews.IdFormat.EwsId, inbox.Id.UniqueId, address);
    const hex = await s.ConvertId(id, ews.IdFormat.HexEntryId);
    const back = await s.ConvertId(new ews.AlternateId(ews.IdFormat.HexEntryId, hex.UniqueId, address), ews.IdFormat.EwsId);
    assert.strictEqual(back.UniqueId, inbox.Id.UniqueId);
  },

  async older() {
    for (const v of [Version.Exchange2007_SP1, Version.Exchange2010_SP2]) {
      assert.strictEqual((await ews.Folder.Bind(connect(v), Known.Inbox)).DisplayName, 'Inbox');
    }
  },
};

(async () => {
  const s = connect(Version.Exchange2016);
  let failed = 0;
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step(s);
      console.log('ok  ', name);
    } catch (e) {
      failed++;
      console.log('FAIL', name, e && (e.stack || e.message) || e);
    }
  }
  console.log(failed, 'of the steps failed');
  process.exit(failed > 0 ? 1 : 0);
})();
