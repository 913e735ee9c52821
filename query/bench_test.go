package query

import (
	"strconv"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
)

// BenchmarkParse is the reader, by the pair and by the KiB.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1, 3, 10, 100, 1000} {
		raw := strings.TrimSuffix(strings.Repeat("name=0123456789&", n), "&")
		b.Run("pairs/"+strconv.Itoa(n), func(b *testing.B) {
			var q Query
			b.ReportAllocs()
			for b.Loop() {
				if q.Parse(raw) != nil {
					b.Fatal("the query is not read")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/pair")
		})
	}
	for _, n := range []int{1, 4, 32} {
		raw := "token=" + strings.Repeat("x", n<<10-6)
		b.Run("KiB/"+strconv.Itoa(n), func(b *testing.B) {
			var q Query
			b.ReportAllocs()
			for b.Loop() {
				if q.Parse(raw) != nil {
					b.Fatal("the query is not read")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/KiB")
		})
	}
}

// BenchmarkClassify is one pair against the protected names, for each kind of pair.
func BenchmarkClassify(b *testing.B) {
	names, err := NewNames(backend.Strict, []string{"user", "expires", "signature"})
	if err != nil {
		b.Fatal(err)
	}
	for name, raw := range map[string]string{
		"plain": "user=jeff", "other": "utm_source=mail", "encoded": "us%65r=jeff", "foreign": "na%C3%AFve=1", "semicolon": "a=1;b=2",
	} {
		b.Run(name, func(b *testing.B) {
			var q Query
			if err := q.Parse(raw); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				names.ClassifyPair(&q, q.Pairs[0])
			}
		})
	}
}

// TestReadAllocations: an ordinary query is read without memory.
func TestReadAllocations(t *testing.T) {
	names, err := NewNames(backend.Strict, []string{"user", "expires", "signature"})
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"", "user=jeff&expires=1&signature=2", "us%65r=x&a=%20;b=c&na%C3%AFve=1&USER-=2", strings.Repeat("a=b&", 15) + "c=d"} {
		var q Query
		f := func() {
			if q.Parse(raw) != nil {
				t.Fatal("the query is not read")
			}
			for _, p := range q.Pairs {
				names.ClassifyPair(&q, p)
			}
		}
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%q: %v allocations", raw, n)
		}
	}
}

// TestPlain: a query is plain where nothing in it needs decoding, wherever in it.
func TestPlain(t *testing.T) {
	for i := range 40 {
		raw := strings.Repeat("a", i) + "=" + strings.Repeat("b", 40-i)
		for _, c := range []string{"a", "%", "+", ";", "=", "&", "#", " ", "\x7f"} {
			for at := range len(raw) {
				var q Query
				if err := q.Parse(raw[:at] + c + raw[at:]); err != nil {
					t.Fatal(err)
				}
				if want := !strings.Contains("%+;", c); q.Plain != want {
					t.Errorf("%q: plain %t", q.Raw, q.Plain)
				}
				if want := strings.Contains("# \x7f", c); q.Control != want {
					t.Errorf("%q: control %t", q.Raw, q.Control)
				}
			}
		}
	}
}

// TestClassifyEither: it finds what one of the two readings finds.
func TestClassifyEither(t *testing.T) {
	for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
		names, err := NewNames(profile, []string{"user", "sig_a"})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"user", "USER", "user_", "user-", "us%65r", "user%5B%5D", "user[]", "user[%00]", "user[%00", "sig.a", "sig-a", "sig a", "other", "", "%", "user%00", "u%2573er", "＿user"} {
			_, decoded := names.Classify(name)
			_, asIs := names.ClassifyDecoded([]byte(name))
			if _, got := names.ClassifyEither(name); (got != Other) != (decoded != Other || asIs != Other) {
				t.Errorf("%s: %q is %d, decoded %d, as it is %d", profile, name, got, decoded, asIs)
			}
		}
	}
}
