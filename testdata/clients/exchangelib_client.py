#!/usr/bin/env python3
"""Drives `mailbrick simulate` by exchangelib, as any program that uses it would.

usage: exchangelib_client.py EWS_URL USER PASSWORD ADDRESS

Every step runs, whatever became of the one before it; the exit status is 1 when one of them failed.
"""
import base64
import datetime
import sys
import threading
import traceback
from decimal import Decimal

from exchangelib import (
    DELEGATE, IMPERSONATION, Account, BASIC, NTLM, CalendarItem, Configuration, Contact, Credentials, EWSDateTime, EWSTimeZone,
    ExtendedProperty, FaultTolerance, FileAttachment, Folder, HTMLBody, ItemAttachment, Mailbox, Message, Q, Task, Version)
from exchangelib.folders import Calendar, Contacts, Tasks
from exchangelib.indexed_properties import EmailAddress, PhoneNumber, PhysicalAddress
from exchangelib.items import PostItem
from exchangelib.properties import AlternateId, Attendee
from exchangelib.recurrence import (
    AbsoluteYearlyPattern, DailyPattern, Recurrence, RelativeMonthlyPattern, WeeklyPattern)
from exchangelib.services import ConvertId
from exchangelib.version import EXCHANGE_2013_SP1, EXCHANGE_2016


class SearchKey(ExtendedProperty):
    property_tag = 0x300B
    property_type = "Binary"


class Marker(ExtendedProperty):
    distinguished_property_set_id = "PublicStrings"
    property_name = "marker"
    property_type = "String"


Message.register("search_key", SearchKey)
Message.register("marker", Marker)

URL, USER, PASSWORD, ADDRESS = sys.argv[1:5]
BERLIN = EWSTimeZone("Europe/Berlin")


def account(auth=BASIC, build=EXCHANGE_2016):
    config = Configuration(service_endpoint=URL, credentials=Credentials(USER, PASSWORD), auth_type=auth, max_connections=3,
                           version=Version(build=build))
    return Account(ADDRESS, config=config, autodiscover=False, access_type=IMPERSONATION)


def equal(got, want):
    assert got == want, f"{got!r}, not {want!r}"


def folders(a):
    names = {f.name for f in a.msg_folder_root.walk()}
    assert {"Inbox", "Calendar", "Contacts", "Tasks", "Drafts"} <= names, names
    made = Folder(parent=a.inbox, name="Made")
    made.save()
    made.name = "Renamed"
    made.save()
    sub = Folder(parent=made, name="Sub")
    sub.save()
    equal([f.name for f in made.walk()], ["Sub"])
    sub.move(to_folder=a.drafts)
    equal([f.name for f in made.walk()], [])
    equal(a.inbox / "Renamed", made)
    made.wipe()
    made.delete()
    sub.delete()
    equal(a.inbox.total_count, a.inbox.all().count())


def messages(a):
    m = Message(
        account=a, folder=a.drafts, subject="Re: plans", body=HTMLBody("<html><body>see <img src='cid:pic'></body></html>"),
        to_recipients=[Mailbox(name="Bea", email_address="b@y.example"), "c@y.example"], cc_recipients=["d@y.example"],
        bcc_recipients=["e@y.example"], categories=["red", "blue"], importance="High", sensitivity="Private",
        reply_to=[Mailbox(name="R", email_address="r@y.example")], is_read_receipt_requested=True, marker="here",
        references="<a@x> <b@x>", in_reply_to="<b@x>", is_delivery_receipt_requested=True)
    m.attach(FileAttachment(name="note.txt", content=b"hello \x00 world"))
    m.attach(FileAttachment(name="pic.png", content=b"PNG", is_inline=True, content_id="pic", content_type="image/png"))
    m.attach(ItemAttachment(name="inner", item=Message(subject="inside", body="text", to_recipients=["f@y.example"])))
    m.save()
    got = a.drafts.get(id=m.id)
    equal(got.subject, "Re: plans")
    equal([r.email_address for r in got.to_recipients], ["b@y.example", "c@y.example"])
    equal([r.email_address for r in got.bcc_recipients], ["e@y.example"])
    equal([r.email_address for r in got.reply_to], ["r@y.example"])
    equal((got.categories, got.importance, got.sensitivity, got.marker), (["red", "blue"], "High", "Private", "here"))
    equal((got.is_read_receipt_requested, got.is_delivery_receipt_requested, got.in_reply_to), (True, True, "<b@x>"))
    assert "cid:pic" in got.body and got.is_draft and got.search_key and got.has_attachments
    by_name = {x.name: x for x in got.attachments}
    equal(by_name["note.txt"].content, b"hello \x00 world")
    equal((by_name["pic.png"].is_inline, by_name["pic.png"].content_id), (True, "pic"))
    equal((by_name["inner"].item.subject, by_name["inner"].item.body), ("inside", "text"))
    with by_name["note.txt"].fp as f:
        equal(f.read(), b"hello \x00 world")
    got.attach(FileAttachment(name="late.txt", content=b"late"))
    got.refresh()
    equal(len(got.attachments), 4)
    got.detach([x for x in got.attachments if x.name == "note.txt"])
    got.refresh()
    equal(sorted(x.name for x in got.attachments), ["inner", "late.txt", "pic.png"])
    got.subject, got.is_read, got.categories, got.body = "changed", False, ["green"], "plain"
    got.save()
    got = a.drafts.get(id=m.id)
    equal((got.subject, got.is_read, got.categories, got.body.strip()), ("changed", False, ["green"], "plain"))
    got.marker = None
    got.save(update_fields=["marker"])
    equal(a.drafts.get(id=m.id).marker, None)
    moved = a.drafts.get(id=m.id)
    copied = moved.copy(to_folder=a.inbox)
    moved.move(to_folder=a.junk)
    equal(a.junk.get(subject="changed").id, moved.id)
    a.inbox.get(id=copied[0]).delete()
    moved.move_to_trash()
    equal(a.trash.filter(subject="changed").count(), 1)
    a.trash.filter(subject="changed").delete()
    equal(a.trash.filter(subject="changed").count(), 0)
    PostItem(account=a, folder=a.inbox, subject="posted", body="x").save()
    equal(a.inbox.get(subject="posted").subject, "posted")
    a.inbox.get(subject="posted").soft_delete()


def sending(a):
    Message(account=a, subject="only sent", to_recipients=["b@y.example"]).send(save_copy=False)
    Message(account=a, folder=a.sent, subject="sent and kept", to_recipients=["b@y.example"]).send_and_save()
    equal(a.sent.filter(subject="only sent").count(), 0)
    kept = a.sent.get(subject="sent and kept")
    equal((kept.is_draft, kept.sender.email_address), (False, ADDRESS))
    draft = Message(account=a, folder=a.drafts, subject="a draft", to_recipients=["b@y.example"]).save()
    draft.send(save_copy=True)
    equal((a.drafts.filter(subject="a draft").count(), a.sent.filter(subject="a draft").count()), (0, 1))


def appointments(a):
    start = EWSDateTime(2026, 3, 23, 10, 0, tzinfo=BERLIN)
    item = CalendarItem(
        account=a, folder=a.calendar, subject="Seminar", start=start, end=start + datetime.timedelta(minutes=90), location="Room 5",
        body="Bring pens", legacy_free_busy_status="OOF", reminder_is_set=True, reminder_minutes_before_start=20, uid="seminar@x.example",
        required_attendees=[Attendee(mailbox=Mailbox(name="Bea", email_address="b@y.example"), response_type="Accept")],
        optional_attendees=["c@y.example"], resources=["room@y.example"], categories=["red"],
        recurrence=Recurrence(pattern=WeeklyPattern(interval=2, weekdays=["Monday", "Wednesday"]), start=start.date(), number=5))
    item.attach(FileAttachment(name="plan.txt", content=b"plan"))
    item.save()
    got = a.calendar.get(id=item.id)
    equal((got.subject, got.start, got.end, got.location), ("Seminar", start, item.end, "Room 5"))
    equal((got.legacy_free_busy_status, got.reminder_minutes_before_start, got.uid), ("OOF", 20, "seminar@x.example"))
    equal([x.mailbox.email_address for x in got.required_attendees], ["b@y.example"])
    equal([x.mailbox.email_address for x in got.optional_attendees + got.resources], ["c@y.example", "room@y.example"])
    equal((got.organizer.email_address, got.type, got.my_response_type), (ADDRESS, "RecurringMaster", "Organizer"))
    equal((got.recurrence.pattern.interval, got.recurrence.boundary.number), (2, 5))
    equal(got._start_timezone.ms_id, "W. Europe Standard Time")
    equal(got.attachments[0].content, b"plan")
    got.location, got.start, got.end = "Room 6", got.start + datetime.timedelta(hours=1), got.end + datetime.timedelta(hours=1)
    got.save()
    got = a.calendar.get(id=item.id)
    equal((got.location, got.start, got.recurrence.boundary.number), ("Room 6", start + datetime.timedelta(hours=1), 5))
    day = CalendarItem(account=a, folder=a.calendar, subject="Fair", start=datetime.date(2026, 3, 29), end=datetime.date(2026, 3, 30),
                       is_all_day=True).save()
    got = a.calendar.get(id=day.id)
    equal((got.is_all_day, got.start, got.end), (True, datetime.date(2026, 3, 29), datetime.date(2026, 3, 30)))
    for i, pattern in enumerate([DailyPattern(interval=3), RelativeMonthlyPattern(interval=1, week_number="Last", weekday="Friday"),
                                 AbsoluteYearlyPattern(day_of_month=29, month="February")]):
        first = datetime.date(2028, 2, 25 if i == 1 else 29)
        at = EWSDateTime(first.year, first.month, first.day, 8, tzinfo=BERLIN)
        one = CalendarItem(account=a, folder=a.calendar, subject="again", start=at, end=at + datetime.timedelta(hours=1),
                           recurrence=Recurrence(pattern=pattern, start=first, end=datetime.date(2040, 1, 1))).save()
        equal(a.calendar.get(id=one.id).recurrence.pattern, pattern)
        one.delete()
    equal([x.subject for x in a.calendar.filter(start__gt=EWSDateTime(2026, 3, 26, tzinfo=BERLIN)).order_by("start")], ["Fair"])
    view = a.calendar.view(start=EWSDateTime(2026, 3, 28, tzinfo=BERLIN), end=EWSDateTime(2026, 3, 31, tzinfo=BERLIN))
    equal([x.subject for x in view], ["Fair"])
    a.calendar.all().delete()


def contacts(a):
    c = Contact(
        account=a, folder=a.contacts, given_name="Ada", surname="Lovelace", company_name="Engines", display_name="Ada Lovelace",
        email_addresses=[EmailAddress(email="ada@x.example", label="EmailAddress1"), EmailAddress(email="al@x.example", label="EmailAddress3")],
        phone_numbers=[PhoneNumber(label="MobilePhone", phone_number="+1 2"), PhoneNumber(label="BusinessPhone", phone_number="+3 4")],
        physical_addresses=[PhysicalAddress(label="Home", street="1 Main", city="London", zipcode="W1", country="UK")],
        birthday=datetime.date(1815, 12, 10), job_title="Countess", children=["Byron"], body="notes", categories=["vip"])
    c.attach(FileAttachment(name="ContactPicture.jpg", content=b"\xff\xd8\xff", is_contact_photo=True))
    c.save()
    got = a.contacts.get(id=c.id)
    equal((got.file_as, got.given_name, got.surname, got.company_name, got.job_title), ("Lovelace, Ada", "Ada", "Lovelace", "Engines", "Countess"))
    equal({e.label: e.email for e in got.email_addresses}, {"EmailAddress1": "ada@x.example", "EmailAddress3": "al@x.example"})
    equal({p.label: p.phone_number for p in got.phone_numbers if p.phone_number}, {"MobilePhone": "+1 2", "BusinessPhone": "+3 4"})
    equal([(p.label, p.city, p.zipcode) for p in got.physical_addresses], [("Home", "London", "W1")])
    equal((got.birthday, got.children, got.has_picture, got.complete_name.last_name), (datetime.date(1815, 12, 10), ["Byron"], True, "Lovelace"))
    got.email_addresses = [EmailAddress(email="new@x.example", label="EmailAddress1")]
    got.physical_addresses = [PhysicalAddress(label="Business", city="Bath")]
    got.surname = "King"
    got.save()
    got = a.contacts.get(id=c.id)
    equal({e.label: e.email for e in got.email_addresses}, {"EmailAddress1": "new@x.example"})
    equal([(p.label, p.city) for p in got.physical_addresses], [("Business", "Bath")])
    equal([x.surname for x in a.contacts.filter(given_name="Ada")], ["King"])
    got.delete()


def tasks(a):
    t = Task(account=a, folder=a.tasks, subject="pay", start_date=datetime.date(2026, 5, 4), due_date=datetime.date(2026, 5, 5),
             percent_complete=Decimal(40), status="InProgress", total_work=90, reminder_is_set=True,
             reminder_due_by=EWSDateTime(2026, 5, 4, 7, tzinfo=BERLIN), companies=["Engines"])
    t.attach(FileAttachment(name="bill.txt", content=b"bill"))
    t.save()
    got = a.tasks.get(id=t.id)
    equal((got.subject, got.start_date, got.due_date, got.total_work), ("pay", datetime.date(2026, 5, 4), datetime.date(2026, 5, 5), 90))
    equal((int(got.percent_complete), got.status, got.is_complete, got.companies), (40, "InProgress", False, ["Engines"]))
    got.complete()
    got = a.tasks.get(id=t.id)
    equal((got.status, int(got.percent_complete), got.is_complete), ("Completed", 100, True))
    equal(a.tasks.filter(subject="pay", is_complete=True).count(), 1)
    got.delete(affected_task_occurrences="AllOccurrences")


def finding(a):
    for i in range(25):
        Message(account=a, folder=a.inbox, subject=f"page {i:02}", body=f"text {i}", is_read=i % 2 == 0, importance="Low").save()
    pages = a.inbox.filter(subject__startswith="page").order_by("subject")
    pages.page_size = 10
    equal([m.subject for m in pages.only("subject")], [f"page {i:02}" for i in range(25)])
    equal([m.subject for m in a.inbox.filter(subject__startswith="page").order_by("-subject")[:3]], ["page 24", "page 23", "page 22"])
    equal(a.inbox.filter(Q(subject="page 03") | Q(subject__contains="ge 04") & Q(is_read=True)).count(), 2)
    equal(a.inbox.filter(subject__startswith="page", is_read=False).count(), 12)
    equal(a.inbox.filter(subject__startswith="page", importance="Low", datetime_created__gt=EWSDateTime(2020, 1, 1, tzinfo=BERLIN)).count(), 25)
    equal(len(list(a.fetch(ids=[(m.id, m.changekey) for m in pages.only("id", "changekey")]))), 25)
    equal(len(list(pages.values_list("subject", "sender"))), 25)
    pages.delete()
    equal(a.inbox.filter(subject__startswith="page").count(), 0)


def synchronizing(a):
    changes = list(a.inbox.sync_items())
    assert all(kind == "create" for kind, _ in changes), changes
    made = Message(account=a, folder=a.inbox, subject="synced").save()
    equal([(kind, x.id) for kind, x in a.inbox.sync_items()], [("create", made.id)])
    made.subject = "again"
    made.save(update_fields=["subject"])
    equal([(kind, x.subject) for kind, x in a.inbox.sync_items(only_fields=["subject"])], [("update", "again")])
    made.is_read = not made.is_read
    made.save(update_fields=["is_read"])
    equal([kind for kind, _ in a.inbox.sync_items()], ["read_flag_change"])
    made.delete()
    equal([kind for kind, _ in a.inbox.sync_items()], ["delete"])
    list(a.inbox.sync_hierarchy())
    sub = Folder(parent=a.inbox, name="Synced")
    sub.save()
    equal([(kind, f.name) for kind, f in a.inbox.sync_hierarchy()], [("create", "Synced")])
    sub.delete()
    equal([kind for kind, _ in a.inbox.sync_hierarchy()], ["delete"])


def exporting(a):
    items = list(a.inbox.all().only("id", "changekey", "subject"))
    blobs = list(a.export(items))
    assert all(isinstance(b, str) for b in blobs), blobs
    ids = a.upload([(a.junk, b) for b in blobs])
    equal(len(ids), len(items))
    equal(sorted(m.subject for m in a.junk.all()), sorted(m.subject for m in items))
    a.junk.empty()
    equal(a.junk.all().count(), 0)


def notifying(a):
    with a.inbox.pull_subscription(timeout=10) as (subscription, watermark):
        made = Message(account=a, folder=a.inbox, subject="news").save()
        events = []
        for n in a.inbox.get_events(subscription, watermark):
            events += n.events
        assert any(e.ELEMENT_NAME == "CreatedEvent" and e.item_id.id == made.id for e in events), events
    with a.inbox.streaming_subscription() as subscription:
        threading.Timer(0.2, made.delete).start()
        for n in a.inbox.get_streaming_events(subscription, connection_timeout=1):
            if any(e.ELEMENT_NAME == "DeletedEvent" for e in n.events):
                break
        else:
            raise AssertionError("no notification")


def names_and_ids(a):
    equal([m.email_address for m in a.protocol.resolve_names([ADDRESS])], [ADDRESS])
    full = a.protocol.resolve_names([ADDRESS], return_full_contact_data=True)
    assert full, full
    item = a.inbox.all()[0]
    hexed = list(a.protocol.convert_ids([AlternateId(id=item.id, format="EwsId", mailbox=ADDRESS)], destination_format="HexEntryId"))
    back = list(a.protocol.convert_ids([AlternateId(id=hexed[0].id, format="HexEntryId", mailbox=ADDRESS)], destination_format="EwsId"))
    equal(back[0].id, item.id)


def mime(a):
    item = a.inbox.all().only("id", "changekey", "mime_content")[0]
    assert b"Subject:" in item.mime_content, item.mime_content[:200]
    raw = b"From: a@x.example\r\nSubject: mime\r\n\r\ntext\r\n"
    made = Message(account=a, folder=a.inbox, mime_content=raw).save()
    equal(a.inbox.get(id=made.id).subject, "mime")
    made.delete()


def ntlm(a):
    equal(account(auth=NTLM).inbox.name, a.inbox.name)


def older(a):
    b = account(build=EXCHANGE_2013_SP1)
    equal(b.inbox.all().count(), a.inbox.all().count())


def main():
    a = account()
    failed = 0
    for step in (folders, messages, sending, appointments, contacts, tasks, finding, synchronizing, exporting, notifying, names_and_ids, mime, ntlm, older):
        try:
            step(a)
            print("ok  ", step.__name__)
        except Exception:
            failed += 1
            print("FAIL", step.__name__)
            traceback.print_exc(limit=-4)
    print(failed, "of the steps failed")
    sys.exit(failed > 0)


main()
