package corpora

import (
	"encoding/json"
	"testing"
)

func TestAssemble(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{``, ""},
		{`"/a?b=\u00ff"`, "/a?b=\xff"},
		{`["/a?", {"s": "b%d=1&", "n": 3}, "c"]`, "/a?b0=1&b1=1&b2=1&c"},
	} {
		if got, err := Assemble(json.RawMessage(tc.text)); err != nil || got != tc.want {
			t.Errorf("%s: %q, %v, want %q", tc.text, got, err, tc.want)
		}
	}
	for _, text := range []string{`"\u0100"`, `["\u0100"]`, `7`, `[7]`} {
		if got, err := Assemble(json.RawMessage(text)); err == nil {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestBytes(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if got, err := Bytes(Latin1(string(all))); err != nil || got != string(all) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFill(t *testing.T) {
	// echo -n jeffs3cret | md5sum
	const sum = "4536d95b5210bf7"
	for text, want := range map[string]string{
		"user=jeff&key=@K:jeff@": "user=jeff&key=" + sum,
		"@U:jeff@":               "4536D95B5210BF7",
		"@KP:je%66f@":            sum,
		"@KP:%zz@":               "@KP:%zz@",
		"@HOST@":                 "@HOST@",
	} {
		if got := Fill(text, "s3cret"); len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%s: %s, want %s…", text, got, want)
		}
	}
	if got := Fill("@KB:jeff@", "s3cret"); len(got) != 24 || got[:4] != "RTbZ" {
		t.Errorf("Base64: %s", got)
	}
}
