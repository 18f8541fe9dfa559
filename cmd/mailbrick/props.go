package main

import (
	"context"
	"fmt"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
)

// propLine is a property as `show --props` prints it.
type propLine struct {
	Path  string `json:"path"` // "", "recipient 1", "attachment 2", "attachment 2/message", ...
	Tag   string `json:"tag"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	Size  int64  `json:"size"`
	Value string `json:"value"`
}

// propWidth is how much of a value is shown.
const propWidth = 1000

// showProps lists every property of an item, of its recipients, of its attachments and of the messages in them.
func (o *common) showProps(ctx context.Context, a *archive.Archive, v *archive.Version) error {
	m, err := o.message(ctx, a, v)
	if err != nil {
		return err
	}
	return o.printMessage("", m)
}

func (o *common) printMessage(path string, m *mapi.Message) error {
	codePage := m.Properties.CodePage()
	if err := o.printBag(path, codePage, m.Properties); err != nil {
		return err
	}
	if path != "" {
		path += "/"
	}
	for i, r := range m.Recipients {
		if err := o.printBag(fmt.Sprintf("%srecipient %d", path, i+1), codePage, r); err != nil {
			return err
		}
	}
	for i, at := range m.Attachments {
		here := fmt.Sprintf("%sattachment %d", path, i+1)
		if err := o.printBag(here, codePage, at.Properties); err != nil {
			return err
		}
		if at.Embedded != nil {
			if err := o.printMessage(here+"/message", at.Embedded); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *common) printBag(path string, codePage int, bag mapi.Bag) error {
	if !o.json && path != "" {
		fmt.Fprintf(o.out, "\n%s\n", path)
	}
	for i := range bag {
		p := &bag[i]
		l := propLine{path, fmt.Sprintf("0x%08X", uint32(p.Tag)), p.Canonical(), p.Tag.Type().String(), p.Len(), p.Display(codePage, propWidth)}
		var err error
		if o.json {
			err = o.print(l)
		} else {
			_, err = fmt.Fprintf(o.out, "%s  %-38s %-18s %s\n", l.Tag, plain(l.Name), l.Type, plain(l.Value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
