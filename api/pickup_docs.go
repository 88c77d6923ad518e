package api

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync"
	plain "text/template"

	"waybill/db"
)

var (
	//go:embed pickup_docs.html
	pickupPageText string
	//go:embed pickup_docs.svg
	drawingText string
	//go:embed pickup_docs.mmd
	mermaidText string

	pickupPage = template.Must(template.Must(
		template.New("page").Funcs(pickupWords).Parse(pickupPageText)).New("drawing").Parse(drawingText))
	pickupMermaid = plain.Must(plain.New("mermaid").Funcs(pickupWords).Parse(mermaidText))

	pickupWords = template.FuncMap{"list": list, "effects": effects}
)

// servePickupDocs serves the transitions of pickups, as the dictionary has them: a page with a drawing and a
// table, the drawing alone, and its text for Mermaid.
func (a *server) servePickupDocs(mux *http.ServeMux) {
	form := func(path, mediaType string, write func(io.Writer, *pickupDiagram) error) {
		// Rendered on first use, like the document.
		text := sync.OnceValue(func() []byte {
			var text bytes.Buffer
			if err := write(&text, drawPickups(a.rules)); err != nil {
				panic(err) // cannot fail for our own templates
			}
			return text.Bytes()
		})
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			headersFor(text(), docsLoads()...).guard(w)
			w.Header().Set("Content-Type", mediaType)
			w.Write(text())
		})
	}
	form("/docs/pickups", "text/html; charset=utf-8", func(w io.Writer, d *pickupDiagram) error {
		var content bytes.Buffer
		err := pickupPage.ExecuteTemplate(&content, "page", d)
		w.Write(a.docs.Plain("/docs/pickups", "Transitions of a pickup", template.HTML(content.String())))
		return err
	})
	form("/docs/pickups.svg", "image/svg+xml", func(w io.Writer, d *pickupDiagram) error {
		return pickupPage.ExecuteTemplate(w, "drawing", d)
	})
	form("/docs/pickups.mmd", "text/plain; charset=utf-8", func(w io.Writer, d *pickupDiagram) error {
		return pickupMermaid.Execute(w, d)
	})
}

func list(names []string) string { return strings.Join(names, ", ") }

// effects returns what a transition does besides changing the status, as sentences.
func effects(r db.ListTransitionsRow) (does []string) {
	add := func(applies bool, sentence string) {
		if applies {
			does = append(does, sentence)
		}
	}
	add(r.Money == string(db.EntryKindCharge), "Charges the account.")
	add(r.Money == string(db.EntryKindRefund), "Refunds what was charged.")
	add(r.Slot == "take", "Assigns a driver, who is busy from then on.")
	add(r.Slot == "free" && r.HasDriver, "Frees the driver for the next pickup.")
	add(r.Slot == "free" && !r.HasDriver, "Releases the driver, if there is one.")
	add(r.AutoDispatch, "Dispatches the nearest free driver soon after, if the tenant's flag auto_dispatch is on.")
	add(r.Text != "", "Texts the requester, if the tenant's flag pickup_texts is on: “"+r.Text+"”")
	return does
}
