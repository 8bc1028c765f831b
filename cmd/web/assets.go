package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed static
var static embed.FS

// asset is a file that pages use.
type asset struct {
	mediaType  string
	plain      []byte
	compressed []byte // by gzip
}

// assets are the embedded files by their paths, and the version of all of them: a part of their URLs, so that browsers keep them for good.
var assets = sync.OnceValues(func() (map[string]asset, string) {
	files := map[string]asset{}
	sum := sha256.New()
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(data))
		sum.Write(data)
		files[strings.TrimPrefix(name, "static/")] = asset{mediaType: typeOf(name), plain: data, compressed: compress(data)}
		return nil
	})
	if err != nil {
		panic(err) // what is embedded can be read
	}
	return files, hex.EncodeToString(sum.Sum(nil)[:6])
})

// typeOf is the media type of a file. That of scripts is not left to the system's table, which is wrong on some: browsers refuse modules of other types.
func typeOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case "":
		return "text/plain; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// assetPath is the URL of a file.
func assetPath(name string) string {
	_, version := assets()
	return "/static/" + version + "/" + name
}

// hasAsset reports whether a file exists.
func hasAsset(name string) bool {
	files, _ := assets()
	_, ok := files[name]
	return ok
}

// serveAsset answers a request for a file. One of another version is answered with the current file, which a page of before an update asks for: not to be kept.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	files, version := assets()
	a, ok := files[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.mediaType)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.PathValue("version") == version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := a.plain
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = a.compressed
	}
	_, _ = w.Write(body)
}

// writeCompressed writes an answer, by gzip where the client takes it.
func writeCompressed(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.Header().Set("Vary", "Accept-Encoding")
	if takesGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		body = compressFast(body)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func takesGzip(r *http.Request) bool {
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" {
			return strings.ReplaceAll(quality, " ", "") != "q=0"
		}
	}
	return false
}

func compress(data []byte) []byte { return gzipped(data, gzip.BestCompression) }

func compressFast(data []byte) []byte { return gzipped(data, gzip.BestSpeed) }

func gzipped(data []byte, level int) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, level) // the level is valid
	_, _ = z.Write(data)                   // to memory
	_ = z.Close()
	return b.Bytes()
}
