package backends

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Who answered: [Seen.Backend].
const (
	BackendFPM       = "fpm-fcgi"       // [StartFPM]
	BackendPHPServer = "cli-server"     // [StartPHPServer]
	BackendApache    = "apache2handler" // [StartApache]
	BackendTomcat    = "tomcat"         // [StartTomcat]
	BackendTomcat9   = "tomcat9"        // [StartTomcat9]
	BackendJetty     = "jetty9"         // [StartJetty]
)

// Seen is what an application saw of a request.
//
// A string holds exactly the bytes that PHP has; of Tomcat it is the Java string
// in UTF-8, so that what Java decoded wrongly shows: the header bytes "jürgen"
// are "jÃ¼rgen" there.
type Seen struct {
	Backend string // one of the constants
	// App is the script of PHP below the root, such as app/index.php, or the route of a
	// front controller ([Front]); of a servlet it is the context path, "" or /app.
	App string

	// Captured is what the router of a front controller found in the path for its route, and
	// HasCaptured whether it found anything.
	Captured    string
	HasCaptured bool

	Method      string
	RequestURI  string // PHP: REQUEST_URI, with the query; Tomcat: getRequestURI, without it
	QueryString string
	ScriptName  string // PHP: SCRIPT_NAME; Tomcat: getServletPath
	PathInfo    string
	RemoteUser  string

	// Params is $_GET, or getParameterMap (which also holds the parameters of
	// form and multipart bodies). An array of PHP is the list of its leaves.
	Params map[string][]string
	// Arrays names those of $_GET that are arrays in PHP, not strings.
	Arrays map[string]bool
	// Post and Request are $_POST and $_REQUEST.
	Post, Request map[string][]string
	Cookies       map[string][]string
	// Headers has the names that the application uses: HTTP_X_VERIFIED_USER in
	// PHP, the name as received in Tomcat. See [Seen.Header].
	Headers map[string][]string
	// AllHeaders is getallheaders(), with the names that it gives; nil where there is
	// no such function.
	AllHeaders map[string][]string
	// Server is what the echo reports of $_SERVER, without HTTP_*.
	Server map[string]string

	// Body is php://input, or what of the body getParameterMap left to read.
	Body []byte
	// Raw is the answer.
	Raw json.RawMessage
}

// Header returns the values under which the application finds the header: in
// PHP there is at most one, and names that differ in - and _ are the same.
func (s *Seen) Header(name string) []string {
	if s.Backend == BackendTomcat || s.Backend == BackendTomcat9 || s.Backend == BackendJetty {
		var values []string
		for _, key := range slices.Sorted(maps.Keys(s.Headers)) {
			if strings.EqualFold(key, name) {
				values = append(values, s.Headers[key]...)
			}
		}
		return values
	}
	key := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if values, ok := s.Headers["HTTP_"+key]; ok {
		return values
	}
	if value, ok := s.Server[key]; ok && (key == "CONTENT_TYPE" || key == "CONTENT_LENGTH") {
		return []string{value}
	}
	return nil
}

// Decode reads the answer of any of the backends.
func Decode(body []byte) (*Seen, error) {
	var kind struct {
		Backend string `json:"backend"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return nil, fmt.Errorf("not the answer of a backend: %w: %.300q", err, body)
	}
	var seen *Seen
	var err error
	switch kind.Backend {
	case BackendFPM, BackendPHPServer, BackendApache:
		seen, err = decodePHP(body)
	case BackendTomcat, BackendTomcat9, BackendJetty:
		seen, err = decodeServlet(body)
	default:
		err = errors.New("unknown backend")
	}
	if err != nil {
		return nil, fmt.Errorf("not the answer of a backend: %w: %.300q", err, body)
	}
	seen.Raw = slices.Clone(body)
	return seen, nil
}

func decodeServlet(body []byte) (*Seen, error) {
	var answer struct {
		Backend     string              `json:"backend"`
		App         string              `json:"app"`
		Method      string              `json:"method"`
		RequestURI  string              `json:"requestURI"`
		QueryString string              `json:"queryString"`
		ServletPath string              `json:"servletPath"`
		PathInfo    string              `json:"pathInfo"`
		RemoteUser  string              `json:"remoteUser"`
		Headers     map[string][]string `json:"headers"`
		Cookies     map[string][]string `json:"cookies"`
		Parameters  map[string][]string `json:"parameters"`
		Body        []byte              `json:"body"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	return &Seen{
		Backend:     answer.Backend,
		App:         answer.App,
		Method:      answer.Method,
		RequestURI:  answer.RequestURI,
		QueryString: answer.QueryString,
		ScriptName:  answer.ServletPath,
		PathInfo:    answer.PathInfo,
		RemoteUser:  answer.RemoteUser,
		Params:      answer.Parameters,
		Cookies:     answer.Cookies,
		Headers:     answer.Headers,
		Body:        answer.Body,
	}, nil
}

func decodePHP(body []byte) (*Seen, error) {
	var answer struct {
		Backend    string    `json:"backend"`
		App        phpBytes  `json:"app"`
		Captured   *phpBytes `json:"captured"`
		Get        phpArray  `json:"get"`
		Post       phpArray  `json:"post"`
		Request    phpArray  `json:"request"`
		Cookie     phpArray  `json:"cookie"`
		Server     phpArray  `json:"server"`
		AllHeaders *phpArray `json:"allheaders"`
		Body       []byte    `json:"body"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	seen := &Seen{
		Backend: answer.Backend,
		App:     string(answer.App),
		Params:  answer.Get.flat(),
		Arrays:  map[string]bool{},
		Post:    answer.Post.flat(),
		Request: answer.Request.flat(),
		Cookies: answer.Cookie.flat(),
		Headers: map[string][]string{},
		Server:  map[string]string{},
		Body:    answer.Body,
	}
	if answer.Captured != nil {
		seen.Captured, seen.HasCaptured = string(*answer.Captured), true
	}
	if answer.AllHeaders != nil {
		seen.AllHeaders = answer.AllHeaders.flat()
	}
	for _, pair := range answer.Get {
		if pair.array {
			seen.Arrays[pair.name] = true
		}
	}
	for _, pair := range answer.Server {
		switch {
		case strings.HasPrefix(pair.name, "HTTP_"):
			seen.Headers[pair.name] = pair.leaves
		case !pair.array:
			seen.Server[pair.name] = pair.leaves[0]
		}
	}
	for name, field := range map[string]*string{
		"REQUEST_METHOD": &seen.Method,
		"REQUEST_URI":    &seen.RequestURI,
		"QUERY_STRING":   &seen.QueryString,
		"SCRIPT_NAME":    &seen.ScriptName,
		"PATH_INFO":      &seen.PathInfo,
		"REMOTE_USER":    &seen.RemoteUser,
	} {
		*field = seen.Server[name]
	}
	return seen, nil
}

// phpBytes is a string of PHP, sent as one code point per byte.
type phpBytes string

func (b *phpBytes) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	raw := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return fmt.Errorf("%q is not a byte", r)
		}
		raw = append(raw, byte(r))
	}
	*b = phpBytes(raw)
	return nil
}

// phpArray is an array of PHP, sent as [name, value] pairs in its order.
type phpArray []phpPair

type phpPair struct {
	name   string
	array  bool     // the value is an array
	leaves []string // the value, or the strings in it
}

func (p *phpPair) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("%s is not a pair", data)
	}
	var name phpBytes
	if err := json.Unmarshal(pair[0], &name); err != nil {
		return err
	}
	p.name = string(name)
	if p.array = pair[1][0] == '['; p.array {
		var inner phpArray
		if err := json.Unmarshal(pair[1], &inner); err != nil {
			return err
		}
		for _, element := range inner {
			p.leaves = append(p.leaves, element.leaves...)
		}
		return nil
	}
	var value phpBytes
	if err := json.Unmarshal(pair[1], &value); err != nil {
		return err
	}
	p.leaves = []string{string(value)}
	return nil
}

func (a phpArray) flat() map[string][]string {
	flat := make(map[string][]string, len(a))
	for _, pair := range a {
		flat[pair.name] = pair.leaves
	}
	return flat
}
