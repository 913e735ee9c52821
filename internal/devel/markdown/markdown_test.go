package markdown

import (
	"reflect"
	"testing"
)

func TestBlocks(t *testing.T) {
	page := "# Page\n```sh\n## no heading\n```\n## Section\ntext\n\n```console\n$ a\n\n$ b\n```\n### Part of it\n#no heading\n```\n```\n## Next\n```json\n{}\n```"
	blocks, prose, err := Blocks(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{
		{2, "Page", "Page", "sh", "## no heading\n"},
		{8, "Section", "Section", "console", "$ a\n\n$ b\n"},
		{15, "Section", "Part of it", "", ""},
		{18, "Next", "Next", "json", "{}\n"},
	}
	if !reflect.DeepEqual(blocks, want) {
		t.Errorf("got %+v", blocks)
	}
	if prose != "# Page\n## Section\ntext\n\n### Part of it\n#no heading\n## Next\n" {
		t.Errorf("prose is %q", prose)
	}
	if _, _, err := Blocks("a\n```sh\n"); err == nil {
		t.Error("a block without an end is accepted")
	}
}
