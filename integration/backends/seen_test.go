package backends

import (
	"reflect"
	"testing"
)

func TestDecodePHP(t *testing.T) {
	seen, err := Decode([]byte(`{"backend":"fpm-fcgi","app":"app/index.php",
		"get":[["user","j\u00fcrgen\u0000"],["a",[["0","1"],["x",[["y","2"]]]]],["empty",[]]],
		"post":[],"request":[["user","x"]],"cookie":[["c","\u0080"]],
		"server":[["REQUEST_METHOD","GET"],["CONTENT_TYPE","text/plain"],["HTTP_X_VERIFIED_USER","jeff"]],
		"allheaders":[["X-Verified-User","jeff"],["x_verified_user","\u00fc"]],"body":"AP8="}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string][]string{"user": {"j\xfcrgen\x00"}, "a": {"1", "2"}, "empty": nil}; !reflect.DeepEqual(seen.Params, want) {
		t.Errorf("Params = %q, want %q", seen.Params, want)
	}
	if want := map[string]bool{"a": true, "empty": true}; !reflect.DeepEqual(seen.Arrays, want) {
		t.Errorf("Arrays = %v, want %v", seen.Arrays, want)
	}
	if got := seen.Cookies["c"]; !reflect.DeepEqual(got, []string{"\x80"}) {
		t.Errorf("cookie = %q", got)
	}
	for name, want := range map[string]string{"X-Verified-User": "jeff", "content-type": "text/plain"} {
		if got := seen.Header(name); !reflect.DeepEqual(got, []string{want}) {
			t.Errorf("Header(%s) = %q, want %q", name, got, want)
		}
	}
	if want := map[string][]string{"X-Verified-User": {"jeff"}, "x_verified_user": {"\xfc"}}; !reflect.DeepEqual(seen.AllHeaders, want) {
		t.Errorf("AllHeaders = %q, want %q", seen.AllHeaders, want)
	}
	if seen.Header("Request-Method") != nil {
		t.Error("REQUEST_METHOD is no header")
	}
	if seen.Method != "GET" || string(seen.Body) != "\x00\xff" {
		t.Errorf("Method %q, Body %q", seen.Method, seen.Body)
	}
}

func TestDecodeWithoutAllHeaders(t *testing.T) {
	seen, err := Decode([]byte(`{"backend":"fpm-fcgi","allheaders":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if seen.AllHeaders != nil {
		t.Errorf("AllHeaders = %q", seen.AllHeaders)
	}
}

func TestDecodeServlet(t *testing.T) {
	seen, err := Decode([]byte(`{"backend":"tomcat","app":"/app","method":"POST","pathInfo":null,
		"headers":{"x-verified-user":["a"],"X_Verified_User":["b"]},
		"parameters":{"user":["jeff","admin"]},"body":""}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := seen.Header("X-Verified-User"); !reflect.DeepEqual(got, []string{"a"}) {
		t.Errorf("Header = %q", got)
	}
	if got := seen.Params["user"]; !reflect.DeepEqual(got, []string{"jeff", "admin"}) {
		t.Errorf("user = %q", got)
	}
	if seen.App != "/app" || seen.PathInfo != "" {
		t.Errorf("App %q, PathInfo %q", seen.App, seen.PathInfo)
	}
}

func TestDecodeRefusesWhatIsNoAnswer(t *testing.T) {
	for _, body := range []string{
		"", "404 page not found", "{}", `{"backend":"nginx"}`,
		`{"backend":"fpm-fcgi","app":"\u0100"}`,
		`{"backend":"fpm-fcgi","get":[["user"]]}`,
		`{"backend":"fpm-fcgi","get":[["user",1]]}`,
	} {
		if seen, err := Decode([]byte(body)); err == nil {
			t.Errorf("%q is decoded as %+v", body, seen)
		}
	}
}
