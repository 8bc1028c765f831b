package guide

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Corrected rewrites an expression that is written in another language's way, such as JavaScript's, Python's or SQL's. It looks at the text alone, so the
// result may be wrong: offer it only if it compiles. Texts in quotes stay as they are.
func Corrected(src string) string { return corrected(src, false) }

// ForLists is Corrected where the method contains() may be that of a list.
func ForLists(src string) string { return corrected(src, true) }

func corrected(src string, lists bool) string {
	masked, texts := mask(src)
	if lists {
		masked = containsCall().ReplaceAllString(masked, "$3 in $1")
	}
	masked = filtered().ReplaceAllStringFunc(masked, asPipe)
	for range 4 { // a call of a method may be the receiver of another
		before := masked
		for _, r := range rewrites {
			masked = r.from().ReplaceAllString(masked, r.to)
		}
		masked = methodCall().ReplaceAllStringFunc(masked, asFunction)
		masked = arrow().ReplaceAllStringFunc(masked, asPredicate)
		if masked == before {
			break
		}
	}
	masked = strings.ReplaceAll(masked, "\x03", "|")
	return strings.TrimSpace(placeholder().ReplaceAllStringFunc(masked, func(p string) string {
		var i int
		_, _ = fmt.Sscanf(p, "\x01%d\x02", &i)
		return texts[i]
	}))
}

var (
	quoted      = pattern(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)
	placeholder = pattern(`\x01\d+\x02`)
)

// mask replaces the texts in quotes.
func mask(src string) (masked string, texts []string) {
	masked = quoted().ReplaceAllStringFunc(strings.NewReplacer("\x01", "", "\x02", "", "\x03", "").Replace(src), func(text string) string {
		texts = append(texts, text)
		return fmt.Sprintf("\x01%d\x02", len(texts)-1)
	})
	return masked, texts
}

// path is what has a method: data.items[0].name, #, upper(data.name), or a text.
const path = `(?:\x01\d+\x02|#?\w*\([^()]*\)|#|[A-Za-z_]\w*)(?:\??\.\w+|\[[^\[\]]*\])*?`

// pattern returns a regular expression that is compiled at its first use: most commands explain nothing.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

type rewrite struct {
	from func() *regexp.Regexp
	to   string
}

func rule(from, to string) rewrite { return rewrite{pattern(from), to} }

// rewrites are applied in order.
var rewrites = []rewrite{
	rule(`^\s*\$?\{+\s*(.*?)\s*\}+\s*$`, `$1`), // ${ … } and {{ … }} around all of it
	rule(`\$\{\s*([^{}]*?)\s*\}`, `$1`),
	rule(`\{\{\s*([^{}]*?)\s*\}\}`, `$1`),
	rule(`(^|[^\w$])\$\.(\w)`, `${1}data.$2`),
	rule(`\$(\w)`, `$1`),
	rule(`\b(?:process\.env\.|os\.environ\.)(\w+)`, `env("$1")`),
	rule(`\bos\.(?:environ\[|getenv\()(\x01\d+\x02)[\])]`, `env($1)`),
	rule(`\bevent\.data\b`, `data`),
	rule(`(^|[^.\w])(?:payload|body|input|inputs|trigger|message|msg)\??\.(\w)`, `${1}data.$2`),
	rule(`\?:`, `??`),
	rule(`^([^{}]+?)\s+if\s+([^{}]+?)\s+else\s+([^{}]+)$`, `$2 ? $1 : $3`), // Python's
	rule(`^\s*if\s+(.+?)\s+then\s+(.+?)\s+else\s+(.+)$`, `$1 ? $2 : $3`),
	rule(`\b(?:coalesce|ifnull|IFNULL|COALESCE|nvl|default)\(([^(),]+),\s*([^(),]+)\)`, `($1 ?? $2)`),
	rule(`!==|<>`, `!=`),
	rule(`===`, `==`),
	rule(`\s*(?:~=|=~)\s*`, ` matches `),
	rule(`([^=!<>])=([^=>])`, `$1==$2`),
	rule(`\bis\s+not\s+(null|None|nil|NULL)\b`, `!= nil`),
	rule(`\bis\s+(null|None|nil|NULL)\b`, `== nil`),
	rule(`\b(null|None|undefined|NULL|Null|Nil|NIL)\b`, `nil`),
	rule(`\b(True|TRUE)\b`, `true`),
	rule(`\b(False|FALSE)\b`, `false`),
	rule(`\bAND\b|([^&])&([^&])`, `${1}and$2`),
	rule(`\bOR\b`, `or`),
	rule(`\bNOT\b`, `not`),
	rule(`\bIN\b`, `in`),
	rule(`([^|])\|([^|])`, `${1}or$2`),
	rule(`\belif\b`, `else if`),
	rule(`\bstartswith\b`, `startsWith`),
	rule(`\bendswith\b`, `endsWith`),
	rule(`\benv\.(\w+)`, `env("$1")`),
	rule(`\bnow\b(\s*[^(\s]|\s*$)`, `now()$1`),
	rule(`\b(length|size|strlen)\(`, `len(`),
	rule(`\blen\s+(`+path+`)(\s|$)`, `len($1)$2`),
	rule(`\b(str|String|toString)\(`, `string(`),
	rule(`\b(parseInt|Number|toInt)\(`, `int(`),
	rule(`\bparseFloat\(`, `float(`),
	rule(`\b(toLower|toLowerCase|lowercase|downcase|strtolower)\(`, `lower(`),
	rule(`\b(toUpper|toUpperCase|uppercase|upcase|strtoupper)\(`, `upper(`),
	rule(`\bhash\(`, `sha256(`),
	rule(`\b(urlquery|encodeURIComponent|urlEncode|quote)\(`, `urlencode(`),
	rule(`(^|[^.\w])(?:format|printf)\(`, `${1}sprintf(`),
	rule(`\b(uuid4|uuidv4|newUUID)\(`, `uuid(`),
	rule(`\bMath\.(\w+)\(`, `$1(`),
	rule(`\b(?:JSON\.parse|json\.loads)\(`, `fromJSON(`),
	rule(`\b(?:JSON\.stringify|json\.dumps)\(`, `toJSON(`),
	rule(`\b(base64|btoa|b64encode)\(`, `toBase64(`),
	rule(`\b(atob|b64decode)\(`, `fromBase64(`),
	rule(`\b(hasPrefix|startsWith|startswith)\((`+path+`),\s*([^(),]+)\)`, `$2 startsWith $3`),
	rule(`\b(hasSuffix|endsWith|endswith)\((`+path+`),\s*([^(),]+)\)`, `$2 endsWith $3`),
	rule(`\b(?:match|matches|regex|test)\((`+path+`),\s*([^(),]+)\)`, `$1 matches $2`),
	rule(`\breplaceAll\(`, `replace(`),
	rule(`\b(?:Date|datetime)\.now\(\)|\bnew Date\(\)|\b(?:today|time|timestamp|utcnow)\(\)`, `now()`),
	rule(`\b(exists|has|defined|isset|notNull)\((`+path+`)\)`, `$2 != nil`),
	rule(`\b(isNull|is_null)\((`+path+`)\)`, `$2 == nil`),
	rule(`\b(isEmpty|empty|is_empty)\((`+path+`)\)`, `len($2) == 0`),
	rule(`\b(contains|includes)\((`+path+`),\s*([^(),]+)\)`, `$2 contains $3`),
	rule(`(`+path+`)\??\.(length|size)\b([^(\w]|$)`, `len($1)$3`),
	rule(`\b(event|slot)\.time\.([A-Z]\w*)\(`, `date($1.time).$2(`), // they are texts
}

var containsCall = pattern(`(` + path + `)\??\.(contains|includes|has)\(([^()]*)\)`)

var methodCall = pattern(`(` + path + `)\??\.(\w+)\(([^()]*)\)`)

// operators are the methods that are operators here, in lower case without underscores.
var operators = map[string]string{
	"contains": "contains", "includes": "contains", "startswith": "startsWith", "hasprefix": "startsWith", "endswith": "endsWith", "hassuffix": "endsWith",
	"matches": "matches", "match": "matches", "equals": "==",
}

// renamed are the methods that are functions with another name here.
var renamed = map[string]string{
	"tolowercase": "lower", "tolower": "lower", "downcase": "lower", "touppercase": "upper", "toupper": "upper", "upcase": "upper", "strip": "trim",
	"length": "len", "size": "len", "tostring": "string", "str": "string", "toint": "int", "tofloat": "float", "replaceall": "replace", "some": "any",
	"every": "all", "index": "indexOf",
	"format": "strftime", // of a time: that of a text has other arguments
}

// asFunction rewrites the call of a method.
func asFunction(call string) string {
	m := methodCall().FindStringSubmatch(call)
	receiver, method, args := m[1], m[2], strings.TrimSpace(m[3])
	if IsMethod(method) {
		return call
	}
	key := strings.ToLower(strings.ReplaceAll(method, "_", ""))
	if op := operators[key]; op != "" {
		return receiver + " " + op + " " + args
	}
	switch key {
	case "substring", "slice":
		from, to, _ := strings.Cut(args, ",")
		return receiver + "[" + from + ":" + to + "]"
	case "isempty":
		return "len(" + receiver + ") == 0"
	}
	name := functionOf(key, renamed)
	if name == "" {
		return call
	}
	if args != "" {
		args = ", " + args
	}
	return name + "(" + receiver + args + ")"
}

// functionOf returns the function that a word in lower case is: one of those that are renamed, or that has its name but for the case; empty: none.
func functionOf(word string, renamed map[string]string) string {
	if name := renamed[word]; name != "" {
		return name
	}
	for _, f := range Functions() {
		if strings.ToLower(f.Name) == word {
			return f.Name
		}
	}
	return ""
}

// filtered is a filter of a template language: data.name | upper, data.name | default("x").
var filtered = pattern(`\s*\|\s*([A-Za-z]\w*)\b(?:\(([^()]*)\))?`)

// pipes are the names of filters whose functions have other names here, in lower case.
var pipes = map[string]string{"length": "len", "size": "len", "json": "toJSON", "b64encode": "toBase64", "base64": "toBase64",
	"strip": "trim", "lowercase": "lower", "uppercase": "upper", "downcase": "lower", "upcase": "upper"}

// asPipe rewrites a filter; or's single | stays.
func asPipe(filter string) string {
	m := filtered().FindStringSubmatch(filter)
	key := strings.ToLower(m[1])
	if key == "default" && m[2] != "" {
		return " ?? " + m[2]
	}
	name := functionOf(key, pipes)
	if name == "" {
		return filter
	}
	return " \x03 " + name + "(" + m[2] + ")"
}

var arrow = pattern(`\(?\b([A-Za-z_]\w*)\)?\s*=>\s*([^,()]*)`)

// asPredicate rewrites x => x.price > 3: the element is #.
func asPredicate(function string) string {
	m := arrow().FindStringSubmatch(function)
	return regexp.MustCompile(`\b`+m[1]+`\b`).ReplaceAllString(m[2], "#")
}

// methods are those of times, durations and time zones, the only values that have methods.
var methods = func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(`Add AddDate After AppendFormat Before Clock Compare Date Day Equal Format GoString Hour ISOWeek In IsDST IsZero Local
		Location Minute Month Nanosecond Round Second String Sub Truncate UTC Unix UnixMicro UnixMilli UnixNano Weekday Year YearDay Zone ZoneBounds
		Abs Hours Microseconds Milliseconds Minutes Nanoseconds Seconds`) {
		names[name] = true
	}
	return names
}()

// IsMethod reports whether some value has the method.
func IsMethod(name string) bool { return methods[name] }

// OfDeadRun are the members of the data of evrun.run.dead that have what on_dead knows by these names.
var OfDeadRun = map[string]string{"error": "error", "attempts": "attempt", "handler": "handler", "run_id": "run"}

// ofShell are the parameters of a shell: ${HOME:-/root}, ${#list[@]}, ${1}.
var ofShell = pattern(`^[#!]?\w+(\[[@*]\])?(:?[-=?+]|[%#/^,]|$)`)

// OfShell reports whether the text between ${ and } may be a parameter of a shell.
func OfShell(text string) bool { return ofShell().MatchString(text) }
