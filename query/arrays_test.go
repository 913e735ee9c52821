package query

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
)

func TestIsNamed(t *testing.T) {
	for _, tc := range []struct {
		raw, name    string
		is, beginsSo bool
	}{
		{"user", "user", true, true},
		{"users", "user", false, true},
		{"us%65r", "user", false, false},
		{"user[id]", "user[id]", true, true},
		{"user%5Bid%5D", "user[id]", true, true},
		{"user%5bid%5d", "user[id]", true, true},
		{"user%5Bid]", "user[id]", true, true},
		{"user[id%5D", "user[id]", true, true},
		{"user%5Bid%5Dx", "user[id]", false, true},
		{"user%5Bid%5", "user[id]", false, false},
		{"user%5Bid", "user[id]", false, false},
		{"user%255Bid%5D", "user[id]", false, false},
		{"user%5B%69d%5D", "user[id]", false, false},
		{"user%5Did%5B", "user[id]", false, false},
		{"user%5Bid%5D", "user[", false, true},
		{"user%5", "user[", false, false},
		{"%5Ba]", "[a]", true, true},
		{"%5D[]", "][]", true, true},
		{"", "[a]", false, false},
		{"a%5Bb%5D", "a%5Bb%5D", true, true},
		{"a[b]", "a%5Bb%5D", false, false},
	} {
		if got := IsNamed(tc.raw, tc.name); got != tc.is {
			t.Errorf("%q is %q: %t", tc.raw, tc.name, got)
		}
		if got := BeginsNamed(tc.raw, tc.name); got != tc.beginsSo {
			t.Errorf("%q begins with %q: %t", tc.raw, tc.name, got)
		}
	}
}

func TestCheckTogether(t *testing.T) {
	for _, names := range [][]string{{"user", "user[id]"}, {"user[id]", "user"}, {"user[id]", "a", "user[id][x]"}} {
		if CheckTogether(backend.PHP, names) == nil {
			t.Errorf("%q can be protected together", names)
		}
		if err := CheckTogether(backend.Servlet, names); err != nil {
			t.Errorf("a servlet container reads them as they are: %v", err)
		}
	}
	if err := CheckTogether(backend.PHP, []string{"user[id]", "user[name]", "users", "user_id", "user[id2]"}); err != nil {
		t.Error(err)
	}
	if got := Roots(backend.PHP, []string{"a", "user[id]", "user[h][x]"}); !slices.Equal(got, []string{"a", "user"}) {
		t.Errorf("the roots are %q", got)
	}
	if got := Roots(backend.Servlet, []string{"a", "user[id]"}); !slices.Equal(got, []string{"a", "user[id]"}) {
		t.Errorf("the roots of a servlet container are %q", got)
	}
}

// TestAttackArrayMember: what PHP files over user[id], in it, or around it does not pass
// beside it, and what it files elsewhere does. A servlet container has names as they are.
func TestAttackArrayMember(t *testing.T) {
	const name = "user[id]"
	for _, tc := range []struct {
		segment      string
		php, servlet Spelling
	}{
		{"user[id]=x", Plain, Plain},
		{"user%5Bid%5D=x", Plain, Plain},
		{"user%5bid%5D=x", Plain, Plain},
		{"user%5bid]", Plain, Plain},

		// the same to whoever decodes
		{"us%65r[id]=x", LookAlike, LookAlike},
		{"user[%69d]=x", LookAlike, LookAlike},
		{"user%5B%69d%5D=x", LookAlike, LookAlike},
		{"amp;user[id]=x", HTMLEscaped, HTMLEscaped},
		{"amp;user%5Bid%5D=x", HTMLEscaped, HTMLEscaped},

		// the same to PHP
		{"+user[id]=x", LookAlike, Other},
		{"%20%20user[id]=x", LookAlike, Other},
		{"?user[id]=x", LookAlike, Other},
		{"user[id]junk=x", LookAlike, Other},
		{"user[id]]=x", LookAlike, Other},
		{"user[id].[x]=x", LookAlike, Other},
		{"user[id]%00=x", LookAlike, Other},
		{"user[id]%00[x]=x", LookAlike, Other},
		{"user[id][=x", LookAlike, Other},
		{"user[id][x=x", LookAlike, Other},
		{"a;user[id]=x", LookAlike, Other},
		{"a=1;user%5Bid%5D=x", LookAlike, Other},

		// around it and within it
		{"user=x", Array, Other},
		{"user", Array, Other},
		{"us%65r=x", Array, Other},
		{"+user=x", Array, Other},
		{"user%00[id]=x", Array, Other},
		{"user[]=x", Array, Other},
		{"user%5B%5D=x", Array, Other},
		{"user[+]=x", Array, Other},
		{"user[%0B]=x", Array, Other},
		{"user[%20]id]=x", Array, Other},
		{"user[][id]=x", Array, Other},
		{"user[id][]=x", Array, Other},
		{"user[id][x]=x", Array, Other},
		{"user[id][+]=x", Array, Other},
		{"user[x]" + strings.Repeat("[x]", maxLevels) + "=x", Array, Other},
		{"user[x]" + strings.Repeat("[]", 64) + "=x", Array, Other},

		// others
		{"user[name]=x", Other, Other},
		{"user[name][]=x", Other, Other},
		{"user[ID]=x", Other, Other},
		{"user[id2]=x", Other, Other},
		{"user[+id]=x", Other, Other},
		{"user[id+]=x", Other, Other},
		{"user[i.d]=x", Other, Other},
		{"user[[id]=x", Other, Other},
		{"user[%2569d]=x", Other, Other},
		{"user%255Bid%255D=x", Other, Other},
		{"user[id=x", Other, Other}, // user_id
		{"user[id%00]=x", Other, Other},
		{"user_id=x", Other, Other},
		{"user.[id]=x", Other, Other},
		{"user_[id]=x", Other, Other},
		{"users[id]=x", Other, Other},
		{"[user][id]=x", Other, Other},
		{"[id]=x", Other, Other},
		{"id=x", Other, Other},
		{"user]=x", Other, Other},
		{"a[user[id]]=x", Other, Other},
		{"a=user[id]", Other, Other},
		{"user[" + strings.Repeat("a", 200) + "]=x", Other, Other},
		{strings.Repeat("a", 200) + "[id]=x", Other, Other},
		{"user[x]" + strings.Repeat("[x]", maxLevels-1) + "=x", Other, Other},
		{"other[x]" + strings.Repeat("[x]", 100) + "=x", Other, Other},
	} {
		for profile, want := range map[backend.Profile]Spelling{backend.PHP: tc.php, backend.Servlet: tc.servlet} {
			few := names(t, profile, "key", name)
			many := names(t, profile, slices.Concat([]string{"key", name}, fillers, memberFillers)...)
			for _, n := range []*Names{few, many} {
				if i, got := n.Classify(tc.segment); got != want || want != Other && i != 1 {
					t.Errorf("%.80q under %s: spelling %d of name %d, want %d of 1", tc.segment, profile, got, i, want)
				}
			}
			if want != Other && !few.Within(LettersOf(tc.segment)) {
				t.Errorf("%q under %s: the sieve drops it", tc.segment, profile)
			}
		}
	}
}

// TestArrayAndText: all definitions together may protect a text and an array of that name.
func TestArrayAndText(t *testing.T) {
	for _, list := range [][]string{{"user", "user[id]"}, {"user[id]", "user"}, slices.Concat([]string{"user[id]", "user"}, fillers)} {
		n := names(t, backend.PHP, list...)
		for segment, want := range map[string]Spelling{
			"user": Plain, "user[id]=": Plain, "us%65r": LookAlike, "+user": LookAlike, "user[name]": Array, "user[]": Array, "user[id]x": Array, "user_id": Other,
		} {
			if i, s := n.Classify(segment); s != want || s != Other && !strings.HasPrefix(n.Name(i), "user") {
				t.Errorf("%q among %d: spelling %d of name %d, want %d", segment, n.Len(), s, i, want)
			}
		}
	}
}

// TestSpellsMembers: what takes the place of an array takes that of every name in it, of
// whichever one somebody asks.
func TestSpellsMembers(t *testing.T) {
	n := names(t, backend.PHP, "sig", "user[h]", "user[id]", "users[id]")
	for segment, want := range map[string]string{
		"user=x": "user[h] user[id]", "user[]=x": "user[h] user[id]", "a;user=x": "user[h] user[id]", "user[id]=x": "user[id]", "user%5Bid%5D": "user[id]",
		"user[name]=x": "", "sig": "sig", "sig[]": "sig", "users=x": "users[id]",
	} {
		var got []string
		for i := range n.Len() {
			if n.Spells(segment, func(index int) bool { return index == i }) {
				got = append(got, n.Name(i))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q spells %q, want %s", segment, got, want)
		}
	}
}

// memberFillers make a set one of many arrays.
var memberFillers = func() (list []string) {
	for _, filler := range fillers {
		list = append(list, filler+"[x]", "b["+filler+"]", "b[c]["+filler+"]")
	}
	return list
}()

// arrayNames are protected together in the tests below.
var arrayNames = []string{"user[id]", "user[a][b]", "u_er[0]", "sig"}

// arrayPieces are what names of these are made of.
var arrayPieces = []string{
	"user", "user", "user", "us%65r", "u_er", "u.er", "u+er", "sig", "[id]", "[id]", "%5Bid%5D", "[a]", "[a]", "[b]", "%5bb%5d", "[0]", "[0]", "[00]", "[%30]",
	"[", "]", "%5B", "%5D", "id", "a", "b", "0", "[]", "[+]", "[%09]", "[+id]", "[id+]", "[ID]", "[[id]", "[id]]", ".", "_", "+", "%20", "%00", "%0a", "?", "x", "[x]", "[x][y]", "%25",
}

func arrayName(random *rand.Rand) string {
	var name strings.Builder
	for range 1 + random.IntN(4) {
		name.WriteString(arrayPieces[random.IntN(len(arrayPieces))])
	}
	if random.IntN(60) == 0 {
		return name.String() + strings.Repeat("[x]", 60+random.IntN(8))
	}
	return name.String()
}

// phpReads has PHP read queries, and returns for each what it has under the arrayNames:
// "text x", "array", or nothing. Where no PHP is, it fails in the gate, and is skipped elsewhere.
func phpReads(t *testing.T, queries []string) [][]string {
	t.Helper()
	php, err := exec.LookPath("php")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no PHP here; run `sh integration/install.sh`")
		}
		t.Skip("there is no PHP here")
	}
	const script = `ini_set("max_input_vars", "2000");
		function shown($v) { return is_array($v) ? "array" : ($v === null ? "" : "text $v"); }
		while (($line = fgets(STDIN)) !== false) {
			$q = [];
			@parse_str(rtrim($line, "\n"), $q);
			$get = function (...$keys) use ($q) { $v = $q; foreach ($keys as $k) { if (!is_array($v)) return ""; $v = $v[$k] ?? null; } return shown($v); };
			echo json_encode([$get("user", "id"), $get("user", "a", "b"), $get("u_er", "0"), $get("sig")]), "\n";
		}`
	command := exec.Command(php, "-n", "-d", "error_reporting=0", "-r", script)
	command.Stdin = strings.NewReader(strings.Join(queries, "\n") + "\n")
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(queries) {
		t.Fatalf("PHP read %d of %d queries", len(lines), len(queries))
	}
	read := make([][]string, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &read[i]); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	return read
}

// TestAttackArrayPHP: PHP itself finds in each random query that passes what the gateway
// finds there, and nothing where the gateway finds nothing.
func TestAttackArrayPHP(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	n := names(t, backend.PHP, arrayNames...)
	var queries []string
	var found [][]string
	for len(queries) < 30_000 {
		var segments []string
		for i, name := range arrayNames {
			switch random.IntN(4) {
			case 0:
			case 1:
				segments = append(segments, strings.NewReplacer("[", "%5B", "]", "%5d").Replace(name)+"=good"+string(rune('0'+i)))
			default:
				segments = append(segments, name+"=good"+string(rune('0'+i)))
			}
		}
		for range random.IntN(4) {
			segments = append(segments, arrayName(random)+[]string{"=bad", "=bad", "=bad", ""}[random.IntN(4)])
		}
		random.Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
		raw := strings.Join(segments, "&")
		if judge(t, backend.PHP, arrayNames, raw) != "" {
			continue
		}
		var q Query
		if err := q.Parse(raw); err != nil {
			t.Fatal(err)
		}
		values := make([]string, n.Len())
		for i := range values {
			if p, ok := q.Find(n.Name(i)); ok {
				values[i] = "text " + q.Value(p)
			}
		}
		queries, found = append(queries, raw), append(found, values)
	}
	for i, read := range phpReads(t, queries) {
		if !slices.Equal(read, found[i]) {
			t.Errorf("%q: the gateway has %q, and PHP %q", queries[i], found[i], read)
		}
	}
}

// TestArrayFoldsNoMore: what is refused beside a link changes what PHP has of it, before it
// or behind it, but for members that PHP numbers, for what a deeper name makes of an array,
// and for a leading '?', which php -S drops.
func TestArrayFoldsNoMore(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	n := names(t, backend.PHP, arrayNames...)
	const genuine = "user[id]=1&user[a][b]=2&u_er[0]=3&sig=4"
	var queries, refused []string
	for len(refused) < 10_000 {
		name := arrayName(random)
		_, keys := splitArray(backend.PHP.Rules(), []byte(Unescape(name)))
		numbers := false
		for how := aKey; how != noKey; {
			_, keys, how = firstKey(keys)
			numbers = numbers || how == numbered
		}
		if i, s := n.Classify(name + "=bad"); s == Other || numbers || strings.Contains(name, "?") || strings.Count(name, "[x]") > maxLevels-2 || i < 0 {
			continue
		}
		refused = append(refused, name)
		queries = append(queries, genuine+"&"+name+"=bad", name+"=bad&"+genuine)
	}
	read := phpReads(t, append(queries, genuine))
	want := read[len(queries)]
	for i, name := range refused {
		if slices.Equal(read[2*i], want) && slices.Equal(read[2*i+1], want) {
			t.Errorf("%q is refused, and PHP has what it had", name)
		}
	}
}

// TestArrayRepeated: two members of an array have an order that does not tell to PHP.
func TestArrayRepeated(t *testing.T) {
	long := ""
	for range 20 {
		long += "&z" + strings.Repeat("z", strings.Count(long, "&")) + "[a]=1"
	}
	for _, tc := range []struct{ raw, strict, php, servlet string }{
		{"a[x]=1&a[y]=2", "a[y]=2", "", ""},
		{"a[x]=1&a%5Bx%5D=2", "a%5Bx%5D=2", "a%5Bx%5D=2", "a%5Bx%5D=2"},
		{"a[x]=1&a[x]junk=2", "a[x]junk=2", "a[x]junk=2", ""},
		{"a[x]=1&a[x][y]=2", "a[x][y]=2", "a[x][y]=2", ""},
		{"a[x][y]=1&a[x]=2", "a[x]=2", "a[x]=2", ""},
		{"a[x][y]=1&a[x][z]=2", "a[x][z]=2", "", ""},
		{"a[x]=1&a[]=2", "a[]=2", "a[]=2", ""},
		{"a[]=1&a[x]=2", "a[x]=2", "a[x]=2", ""},
		{"a[x][]=1&a[y][]=2", "a[y][]=2", "", ""},
		{"a[x]=1&a=2", "a=2", "a=2", ""},
		{"a=1&a[x]=2", "a[x]=2", "a[x]=2", ""},
		{"a.b[x]=1&a_b[x]=2", "a_b[x]=2", "a_b[x]=2", ""},
		{"a[x.y]=1&a[x_y]=2", "a[x_y]=2", "", ""},
		{"a[x]=1&a" + strings.Repeat("[y]", maxLevels+1) + "=2", "a" + strings.Repeat("[y]", maxLevels+1) + "=2", "a" + strings.Repeat("[y]", maxLevels+1) + "=2", ""},
		{"ab[x]=1&a[x]=2", "", "", ""},
	} {
		for _, more := range []string{"", long} { // few and many
			var q Query
			if err := q.Parse(tc.raw + more); err != nil {
				t.Fatal(err)
			}
			for profile, want := range map[backend.Profile]string{backend.Strict: tc.strict, backend.PHP: tc.php, backend.Servlet: tc.servlet} {
				if got := q.Repeated(profile, nil); got != want {
					t.Errorf("%.100q under %s: %q, want %q", tc.raw+more, profile, got, want)
				}
			}
		}
	}
}

// TestArrayReadAllocations: names with brackets need no memory either.
func TestArrayReadAllocations(t *testing.T) {
	n := names(t, backend.PHP, arrayNames...)
	for _, raw := range []string{"user[id]=1&u_er%5B0%5D=2&user%5Ba%5D%5Bb%5D=3", "user[x][y]=1&us%65r[id]=2&user[id]junk=3&user=4&user[][][]=1&other%5B%5D=2"} {
		var q Query
		f := func() {
			if q.Parse(raw) != nil {
				t.Fatal("the query is not read")
			}
			for _, p := range q.Pairs {
				n.ClassifyPair(&q, p)
			}
			for i := range n.Len() {
				q.Find(n.Name(i))
			}
		}
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%q: %v allocations", raw, n)
		}
	}
}

// phpArray is an array of PHP. Its keys are texts here: of a number, its digits.
type phpArray struct {
	members map[string]any // texts, and arrays
	next    int
}

func (a *phpArray) set(key string, value any) {
	a.members[key] = value
	if n, err := strconv.Atoi(key); err == nil && n >= a.next && strconv.Itoa(n) == key {
		a.next = n + 1
	}
}

// register is php_register_variable_ex of PHP 8.2, step by step, with a value to set.
func (a *phpArray) register(decoded, value string) {
	name, _, _ := strings.Cut(decoded, "\x00")
	name = strings.TrimLeft(name, " ")
	root, rest, isArray := strings.Cut(name, "[")
	root = phpRoot.Replace(root)
	if root == "" {
		return
	}
	in, index, numbered := a, root, false
	for level := 1; isArray; level++ {
		if level > 64 { // max_input_nesting_level
			delete(a.members, root)
			return
		}
		blank := ""
		if rest != "" && strings.ContainsRune(" \t\n\v\f\r", rune(rest[0])) {
			blank = rest[:1]
		}
		key, after, closed := strings.Cut(rest[len(blank):], "]")
		if !closed {
			if level == 1 {
				index = phpRoot.Replace(root + "_" + rest)
			}
			break
		}
		in = in.enter(index, numbered)
		index, numbered = blank+key, key == ""
		rest, isArray = strings.CutPrefix(after, "[")
	}
	if numbered {
		index = strconv.Itoa(in.next)
	}
	in.set(index, value)
}

var phpRoot = strings.NewReplacer(" ", "_", ".", "_", "[", "_")

// enter returns the member, which becomes an array if it is none.
func (a *phpArray) enter(index string, numbered bool) *phpArray {
	if numbered {
		index = strconv.Itoa(a.next)
	}
	inner, there := a.members[index].(*phpArray)
	if !there {
		inner = &phpArray{members: make(map[string]any)}
		a.set(index, inner)
	}
	return inner
}

// modelReads is phpReads by the model.
func modelReads(raw string) (values []string) {
	vars := &phpArray{members: make(map[string]any)}
	for segment := range strings.SplitSeq(raw, "&") {
		if segment != "" {
			name, value, _ := strings.Cut(segment, "=")
			vars.register(Unescape(name), Unescape(value))
		}
	}
	for _, keys := range [][]string{{"user", "id"}, {"user", "a", "b"}, {"u_er", "0"}, {"sig"}} {
		var v any = vars
		for _, key := range keys {
			if array, is := v.(*phpArray); is {
				v = array.members[key]
			} else {
				v = nil
			}
		}
		switch v := v.(type) {
		case string:
			values = append(values, "text "+v)
		case *phpArray:
			values = append(values, "array")
		default:
			values = append(values, "")
		}
	}
	return values
}

// TestArrayModel: the model that FuzzArrays uses is PHP, of any names.
func TestArrayModel(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var queries []string
	for range 20_000 {
		var segments []string
		for range 1 + random.IntN(5) {
			segments = append(segments, arrayName(random)+"=v"+strconv.Itoa(random.IntN(10)))
		}
		queries = append(queries, strings.Join(segments, "&"))
	}
	for i, read := range phpReads(t, queries) {
		if got := modelReads(queries[i]); !slices.Equal(got, read) {
			t.Errorf("%q: the model has %q, PHP %q", queries[i], got, read)
		}
	}
}

// FuzzArrays: in a query that passes, PHP finds what the gateway finds, and nothing where
// the gateway finds nothing; in a servlet container every name is one text.
func FuzzArrays(f *testing.F) {
	seed(f, func(raw string) { f.Add(raw) })
	random := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		f.Add("user[id]=1&" + arrayName(random) + "=2&" + arrayName(random) + "=3")
	}
	sets := make(map[backend.Profile][2]*Names)
	for _, profile := range []backend.Profile{backend.PHP, backend.Servlet} {
		sets[profile] = [2]*Names{names(f, profile, arrayNames...), names(f, profile, slices.Concat(arrayNames, fillers, memberFillers)...)}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var q Query
		if q.Parse(raw) != nil || q.Control {
			return
		}
		for profile, n := range sets {
			for _, p := range q.Pairs {
				sameAmongMany(t, n[0], n[1], q.Segment(p))
				if _, s := n[0].ClassifyPair(&q, p); (s == Plain) != slices.ContainsFunc(arrayNames, func(name string) bool { return IsNamed(q.RawName(p), name) }) {
					t.Errorf("%q under %s: spelling %d", q.Segment(p), profile, s)
				}
			}
			if strings.Contains(raw, ";") || judge(t, profile, arrayNames, raw) != "" {
				continue
			}
			var found []string
			for _, name := range arrayNames {
				value := ""
				if p, ok := q.Find(name); ok {
					value = "text " + q.Value(p)
				}
				found = append(found, value)
			}
			read := modelReads(raw)
			if profile == backend.Servlet {
				read = make([]string, len(arrayNames))
				for _, p := range q.Pairs {
					if i := slices.Index(arrayNames, Unescape(q.RawName(p))); i >= 0 {
						read[i] = "text " + q.Value(p)
					}
				}
			}
			if !slices.Equal(found, read) {
				t.Errorf("%q under %s: the gateway has %q, the backend %q", raw, profile, found, read)
			}
		}
	})
}
