// Package board holds the board: the pages on which dispatchers, clinics, the hub, drivers and admins work. They are
// written in TypeScript beside it, built by "task generate:board", and embedded as they were built, so that a server
// needs no Node.
package board

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io/fs"
	"mime"
	"path"
	"sync"
)

//go:embed dist
var built embed.FS

// File is a file of the board.
type File struct {
	MediaType string
	Text      []byte
	Gzipped   []byte // the same, compressed
}

// Page is the path, below the board's, of the page that every address of the board shows. Its scripts read the
// address.
const Page = "index.html"

// Get returns a file by its path below the board's, and whether there is one.
func Get(name string) (File, bool) {
	file, ok := files()[name]
	return file, ok
}

// All returns the files by their path below the board's.
func All() map[string]File { return files() }

// files are compressed when the first is asked for.
var files = sync.OnceValue(func() map[string]File {
	all := map[string]File{}
	err := fs.WalkDir(built, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := built.ReadFile(name)
		all[name[len("dist/"):]] = File{mime.TypeByExtension(path.Ext(name)), text, compress(text)}
		return err
	})
	if err != nil {
		panic(err) // they are embedded
	}
	return all
})

func compress(text []byte) []byte {
	var compressed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	w.Write(text)
	w.Close()
	return compressed.Bytes()
}
