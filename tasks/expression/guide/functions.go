package guide

// Function describes a function that expressions can call.
type Function struct {
	Group      string // functions of one subject have one; the table keeps them together
	Name       string
	Signatures []string // each way to call it: "round(number, places)"
	Doc        string   // one sentence
	Example    string   // an expression
	Result     string   // the text that ${ Example } gives
}

// Functions returns all functions, by subject.
func Functions() []Function {
	var all []Function
	for _, g := range groups {
		for _, f := range g.functions {
			f.Group = g.name
			all = append(all, f)
		}
	}
	return all
}

type group struct {
	name      string
	functions []Function
}

var groups = []group{
	{"Texts", texts},
	{"Numbers", numbers},
	{"Times", times},
	{"Lists", lists},
	{"Conditions on lists", conditions},
	{"Maps", maps},
	{"Encodings", encodings},
	{"Environment and run", environment},
	{"Requests to hooks", requests},
	{"Bits", bits},
}

var texts = []Function{
	{Name: "upper", Signatures: []string{"upper(text)"}, Doc: "The text in upper case.", Example: `upper("ada")`, Result: `ADA`},
	{Name: "lower", Signatures: []string{"lower(text)"}, Doc: "The text in lower case.", Example: `lower("Ada@Example.com")`, Result: `ada@example.com`},
	{Name: "trim", Signatures: []string{"trim(text)", "trim(text, characters)"},
		Doc: "The text without white space, or without any of the characters, at both ends.", Example: `trim("--ada--", "-")`, Result: `ada`},
	{Name: "trimPrefix", Signatures: []string{"trimPrefix(text, prefix)"}, Doc: "The text without the prefix, if it begins with it.",
		Example: `trimPrefix("refs/heads/main", "refs/heads/")`, Result: `main`},
	{Name: "trimSuffix", Signatures: []string{"trimSuffix(text, suffix)"}, Doc: "The text without the suffix, if it ends with it.",
		Example: `trimSuffix("evrun.git", ".git")`, Result: `evrun`},
	{Name: "hasPrefix", Signatures: []string{"hasPrefix(text, prefix)"}, Doc: `Whether the text begins with the prefix, as the operator "startsWith" says.`,
		Example: `hasPrefix("user.created", "user.")`, Result: `true`},
	{Name: "hasSuffix", Signatures: []string{"hasSuffix(text, suffix)"}, Doc: `Whether the text ends with the suffix, as the operator "endsWith" says.`,
		Example: `hasSuffix("photo.jpg", ".png")`, Result: `false`},
	{Name: "indexOf", Signatures: []string{"indexOf(text, part)"}, Doc: "The byte at which the part first begins in the text, from 0; -1 if it isn't in it.",
		Example: `indexOf("ada@example.com", "@")`, Result: `3`},
	{Name: "lastIndexOf", Signatures: []string{"lastIndexOf(text, part)"}, Doc: "The byte at which the part last begins in the text, from 0; -1 if it isn't in it.",
		Example: `lastIndexOf("a/b/c", "/")`, Result: `3`},
	{Name: "replace", Signatures: []string{"replace(text, old, new)", "replace(text, old, new, times)"},
		Doc: "The text with new in place of old, everywhere or at most so many times.", Example: `replace("a b c", " ", "-")`, Result: `a-b-c`},
	{Name: "repeat", Signatures: []string{"repeat(text, times)"}, Doc: "The text so many times.", Example: `repeat("ab", 3)`, Result: `ababab`},
	{Name: "split", Signatures: []string{"split(text, separator)", "split(text, separator, most)"},
		Doc: "The list of the parts of a text between the separators, at most so many.", Example: `split("a,b,c", ",")`, Result: `["a","b","c"]`},
	{Name: "splitAfter", Signatures: []string{"splitAfter(text, separator)", "splitAfter(text, separator, most)"},
		Doc: "As split, but each part keeps its separator.", Example: `splitAfter("a,b", ",")`, Result: `["a,","b"]`},
	{Name: "join", Signatures: []string{"join(list)", "join(list, separator)"}, Doc: "The text of a list's elements, with the separator between them.",
		Example: `join(["a", "b", 3], ", ")`, Result: `a, b, 3`},
	{Name: "sprintf", Signatures: []string{"sprintf(format, value, …)"},
		Doc:     "The format with the values in place of its verbs: %s a text, %d a whole number, %.2f a number with two places, %05d with zeros, %-10s in a column, %x in hexadecimal, %q in quotes.",
		Example: `sprintf("%s owes %.2f EUR (%03d)", "Ada", 12.5, 7)`, Result: `Ada owes 12.50 EUR (007)`},
	{Name: "string", Signatures: []string{"string(value)"}, Doc: "The value as a text.", Example: `string(42) + "!"`, Result: `42!`},
	{Name: "alike", Signatures: []string{"alike(text)"},
		Doc:     "The text in one line, with # for numbers and ids and … for what is in quotes, as errors are grouped: alike(run.error) == \"…\" selects a group.",
		Example: `alike("no user 'ada' in order 4711")`, Result: `no user '…' in order #`},
	{Name: "len", Signatures: []string{"len(text)", "len(list)", "len(map)"}, Doc: "The number of characters, elements or keys.", Example: `len("früh")`, Result: `4`},
}

var numbers = []Function{
	{Name: "int", Signatures: []string{"int(number)", "int(text)"}, Doc: "The whole number of a text, or of a number without its fraction.", Example: `int("42") + 1`, Result: `43`},
	{Name: "float", Signatures: []string{"float(number)", "float(text)"}, Doc: "The number of a text, as a fraction.", Example: `float("2.5") * 2`, Result: `5`},
	{Name: "round", Signatures: []string{"round(number)", "round(number, places)"},
		Doc: "The number with so many places after the decimal point, or none; halves are rounded away from zero.", Example: `round(2.675, 2)`, Result: `2.68`},
	{Name: "floor", Signatures: []string{"floor(number)"}, Doc: "The greatest whole number that is not greater.", Example: `floor(-2.5)`, Result: `-3`},
	{Name: "ceil", Signatures: []string{"ceil(number)"}, Doc: "The least whole number that is not less.", Example: `ceil(2.1)`, Result: `3`},
	{Name: "abs", Signatures: []string{"abs(number)"}, Doc: "The number without its sign.", Example: `abs(-5)`, Result: `5`},
	{Name: "max", Signatures: []string{"max(list)", "max(number, …)"}, Doc: "The greatest of the numbers.", Example: `max([3, 7, 5])`, Result: `7`},
	{Name: "min", Signatures: []string{"min(list)", "min(number, …)"}, Doc: "The least of the numbers.", Example: `min(3, 7, 5)`, Result: `3`},
	{Name: "sum", Signatures: []string{"sum(list)", "sum(list, number of each element)"}, Doc: "The sum of a list's numbers, or of a number of each element.",
		Example: `sum([{"price": 3}, {"price": 5}], .price)`, Result: `8`},
	{Name: "mean", Signatures: []string{"mean(list)", "mean(number, …)"}, Doc: "The average of the numbers.", Example: `mean([1, 2, 6])`, Result: `3`},
	{Name: "median", Signatures: []string{"median(list)", "median(number, …)"}, Doc: "The number in the middle when the numbers are sorted.",
		Example: `median([1, 9, 2])`, Result: `2`},
}

var times = []Function{
	{Name: "now", Signatures: []string{"now()"},
		Doc:     "When evrun accepted the event, in UTC: the same at every attempt and for every handler, however late it runs; a schedule has slot.time in its place.",
		Example: `now().Year()`, Result: `2026`},
	{Name: "strftime", Signatures: []string{"strftime(time, layout)", "strftime(time, layout, zone)"},
		Doc:     "A time as text, by the letters of strftime, in its own zone or another; the time is now(), event.time, any text such as 2026-12-24T18:00:00Z, or seconds since 1970.",
		Example: `strftime("2026-12-24T18:00:00Z", "%d.%m.%Y %H:%M", "Europe/Paris")`, Result: `24.12.2026 19:00`},
	{Name: "date", Signatures: []string{"date(text)", "date(text, layout)", "date(text, layout, zone)", "date(timezone(zone), text)"},
		Doc:     "The time that a text says, in RFC 3339, as 2026-12-24 or in Go's layout; it has methods such as Year(), Weekday(), Unix(), Add(), Sub() and Format().",
		Example: `date("2026-12-24T18:00:00Z").Weekday().String()`, Result: `Thursday`},
	{Name: "duration", Signatures: []string{"duration(text)"}, Doc: "The duration that a text says, to be added to a time or compared; it has methods such as Hours().",
		Example: `date("2026-12-24") + duration("36h")`, Result: `2026-12-25T12:00:00Z`},
	{Name: "timezone", Signatures: []string{"timezone(name)"}, Doc: "A time zone, for date() and for the method In() of a time.",
		Example: `date("2026-12-24T18:00:00Z").In(timezone("Europe/Paris")).Hour()`, Result: `19`},
}

var lists = []Function{
	{Name: "map", Signatures: []string{"map(list, value)"}, Doc: "The list of a value of each element, which is # in it; .price is a field of the element, #index its place from 0.",
		Example: `map([1, 2, 3], # * 10)`, Result: `[10,20,30]`},
	{Name: "filter", Signatures: []string{"filter(list, condition)"}, Doc: "The elements for which the condition is true.", Example: `filter([1, 5, 9], # > 3)`, Result: `[5,9]`},
	{Name: "reduce", Signatures: []string{"reduce(list, value, first)"}, Doc: "One value of all elements: #acc is the value so far, which is the first at the beginning.",
		Example: `reduce([1, 2, 3], #acc * #, 1)`, Result: `6`},
	{Name: "sort", Signatures: []string{"sort(list)", `sort(list, "desc")`}, Doc: "The elements in ascending or descending order.", Example: `sort([3, 1, 2], "desc")`, Result: `[3,2,1]`},
	{Name: "sortBy", Signatures: []string{"sortBy(list, value)", `sortBy(list, value, "desc")`}, Doc: "The elements in the order of a value of each.",
		Example: `sortBy([{"n": 2}, {"n": 1}], .n)`, Result: `[{"n":1},{"n":2}]`},
	{Name: "groupBy", Signatures: []string{"groupBy(list, key)"}, Doc: "A map of lists: the elements by a key of each.",
		Example: `groupBy(["ada", "bob", "alan"], #[0:1])`, Result: `{"a":["ada","alan"],"b":["bob"]}`},
	{Name: "first", Signatures: []string{"first(list)"}, Doc: "The first element; nil if there is none.", Example: `first([7, 8, 9])`, Result: `7`},
	{Name: "last", Signatures: []string{"last(list)"}, Doc: "The last element; nil if there is none.", Example: `last([7, 8, 9])`, Result: `9`},
	{Name: "take", Signatures: []string{"take(list, number)"}, Doc: "The first elements, so many.", Example: `take([7, 8, 9], 2)`, Result: `[7,8]`},
	{Name: "reverse", Signatures: []string{"reverse(list)"}, Doc: "The elements from the last to the first.", Example: `reverse([1, 2, 3])`, Result: `[3,2,1]`},
	{Name: "uniq", Signatures: []string{"uniq(list)"}, Doc: "The elements without repetitions, of at most 10,000.", Example: `uniq([1, 2, 1])`, Result: `[1,2]`},
	{Name: "concat", Signatures: []string{"concat(list, …)"}, Doc: "One list of the elements of all.", Example: `concat([1], [2, 3])`, Result: `[1,2,3]`},
	{Name: "flatten", Signatures: []string{"flatten(list)"}, Doc: "One list of all elements of the lists in it, however deep.", Example: `flatten([1, [2, [3]]])`, Result: `[1,2,3]`},
}

var conditions = []Function{
	{Name: "any", Signatures: []string{"any(list, condition)"}, Doc: "Whether the condition is true for at least one element.", Example: `any([1, 5], # > 3)`, Result: `true`},
	{Name: "all", Signatures: []string{"all(list, condition)"}, Doc: "Whether the condition is true for each element.", Example: `all([1, 5], # > 3)`, Result: `false`},
	{Name: "none", Signatures: []string{"none(list, condition)"}, Doc: "Whether the condition is true for no element.", Example: `none([1, 5], # > 9)`, Result: `true`},
	{Name: "one", Signatures: []string{"one(list, condition)"}, Doc: "Whether the condition is true for exactly one element.", Example: `one([1, 5], # > 3)`, Result: `true`},
	{Name: "count", Signatures: []string{"count(list)", "count(list, condition)"}, Doc: "For how many elements the condition is true; without one, how many are true.",
		Example: `count([1, 5, 9], # > 3)`, Result: `2`},
	{Name: "find", Signatures: []string{"find(list, condition)"}, Doc: "The first element for which the condition is true; nil if there is none.",
		Example: `find([1, 5, 9], # > 3)`, Result: `5`},
	{Name: "findIndex", Signatures: []string{"findIndex(list, condition)"}, Doc: "The place from 0 of the first element for which the condition is true; nil if there is none.",
		Example: `findIndex([1, 5, 9], # > 3)`, Result: `1`},
	{Name: "findLast", Signatures: []string{"findLast(list, condition)"}, Doc: "The last element for which the condition is true; nil if there is none.",
		Example: `findLast([1, 5, 9], # > 3)`, Result: `9`},
	{Name: "findLastIndex", Signatures: []string{"findLastIndex(list, condition)"},
		Doc: "The place from 0 of the last element for which the condition is true; nil if there is none.", Example: `findLastIndex([1, 5, 9], # > 3)`, Result: `2`},
}

var maps = []Function{
	{Name: "keys", Signatures: []string{"keys(map)"}, Doc: "The list of a map's keys, sorted.", Example: `keys({"b": 2, "a": 1})`, Result: `["a","b"]`},
	{Name: "values", Signatures: []string{"values(map)"}, Doc: "The list of a map's values, in the order of their keys.", Example: `values({"b": 2, "a": 1})`, Result: `[1,2]`},
	{Name: "toPairs", Signatures: []string{"toPairs(map)"}, Doc: "The list of a map's [key, value], in the order of the keys.",
		Example: `toPairs({"b": 2, "a": 1})`, Result: `[["a",1],["b",2]]`},
	{Name: "fromPairs", Signatures: []string{"fromPairs(list)"}, Doc: "The map of a list of [key, value].", Example: `fromPairs([["a", 1], ["b", 2]]).b`, Result: `2`},
	{Name: "get", Signatures: []string{"get(map, key)", "get(list, place)"}, Doc: "The value of a key, or the element at a place; nil if there is none.",
		Example: `get({"a": 1}, "b") ?? 0`, Result: `0`},
	{Name: "type", Signatures: []string{"type(value)"}, Doc: `What a value is: "string", "int", "float", "bool", "array", "map" or "nil".`, Example: `type([1, 2])`, Result: `array`},
}

var encodings = []Function{
	{Name: "toJSON", Signatures: []string{"toJSON(value)"}, Doc: "The value as JSON with line breaks; in a text, ${ value } alone gives compact JSON.",
		Example: `toJSON("a")`, Result: `"a"`},
	{Name: "fromJSON", Signatures: []string{"fromJSON(text)"}, Doc: "The value of a JSON text; its numbers stay exact.", Example: `fromJSON("{\"n\": 5}").n`, Result: `5`},
	{Name: "toBase64", Signatures: []string{"toBase64(text)"}, Doc: "The text in base64.", Example: `toBase64("ada:pass")`, Result: `YWRhOnBhc3M=`},
	{Name: "urlencode", Signatures: []string{"urlencode(value)"}, Doc: "The text for a part of a url's path or query: all but letters, digits and -_.~ is written as %XX.",
		Example: `urlencode("a b&c/d")`, Result: `a%20b%26c%2Fd`},
	{Name: "sha256", Signatures: []string{"sha256(text)"}, Doc: "The SHA-256 of the text, in hexadecimal.", Example: `sha256("ada")[0:16]`, Result: `fdee430d40bd57de`},
	{Name: "hmac", Signatures: []string{"hmac(algorithm, key, text)", `hmac(algorithm, key, text, "base64")`},
		Doc:     "The signature of the text by a key, such as env(\"SECRET\"), in hexadecimal or base64; the algorithm is sha256, sha1, sha384 or sha512.",
		Example: `hmac("sha256", "key", "The quick brown fox jumps over the lazy dog")[0:16]`, Result: `f7bc83f430538424`},
	{Name: "fromBase64", Signatures: []string{"fromBase64(text)"}, Doc: "The text of base64.", Example: `fromBase64("YWRh")`, Result: `ada`},
}

var environment = []Function{
	{Name: "env", Signatures: []string{`env("NAME")`},
		Doc: "The environment variable of evrun's process, which counts as a secret: logs and lists show [secret] in its place.", Example: `env("API_TOKEN")`, Result: `t0ken-of-the-api`},
	{Name: "file", Signatures: []string{`file("PATH")`},
		Doc:     "The text of a file of at most 1 MiB without its final line end, relative to the wiring file; it counts as a secret, as env() does.",
		Example: `file("greeting.txt")`, Result: `Hello`},
	{Name: "uuid", Signatures: []string{"uuid()"},
		Doc:     "An identifier that is made of the run and the place in the file: a different one at each place, and the same at every attempt of a run.",
		Example: `uuid()`, Result: `86e55040-f7f9-8f29-8dea-a4ee9745a072`},
}

var requests = []Function{
	{Name: "header", Signatures: []string{`header("NAME")`}, Doc: "The header of the request, whatever the case of its name, the first one if there are several; nil without one.",
		Example: `header("X-GitHub-Event")`, Result: `push`},
	{Name: "query", Signatures: []string{`query("NAME")`}, Doc: "The parameter of the request's url, the first one if there are several; nil without one.", Example: `query("page") ?? "1"`, Result: `1`},
}

var bits = []Function{
	{Name: "bitand", Signatures: []string{"bitand(a, b)"}, Doc: "The bits that are set in both whole numbers.", Example: `bitand(6, 3)`, Result: `2`},
	{Name: "bitor", Signatures: []string{"bitor(a, b)"}, Doc: "The bits that are set in one whole number at least.", Example: `bitor(6, 3)`, Result: `7`},
	{Name: "bitxor", Signatures: []string{"bitxor(a, b)"}, Doc: "The bits that are set in exactly one of the whole numbers.", Example: `bitxor(6, 3)`, Result: `5`},
	{Name: "bitnand", Signatures: []string{"bitnand(a, b)"}, Doc: "The bits of the first whole number that are not set in the second.", Example: `bitnand(6, 3)`, Result: `4`},
	{Name: "bitnot", Signatures: []string{"bitnot(a)"}, Doc: "The whole number with all bits inverted.", Example: `bitnot(6)`, Result: `-7`},
	{Name: "bitshl", Signatures: []string{"bitshl(a, places)"}, Doc: "The bits shifted to the left.", Example: `bitshl(3, 2)`, Result: `12`},
	{Name: "bitshr", Signatures: []string{"bitshr(a, places)"}, Doc: "The bits shifted to the right; the sign stays.", Example: `bitshr(-12, 2)`, Result: `-3`},
	{Name: "bitushr", Signatures: []string{"bitushr(a, places)"}, Doc: "The bits shifted to the right, with zeros from the left.", Example: `bitushr(12, 2)`, Result: `3`},
}
