package signedlink
import "testing"
func BenchmarkTmp(b *testing.B) { for _, l := range hotLinks(b) { f := judging(b, l.directive, l.target); b.Run(l.name, func(b *testing.B) { for b.Loop() { f() } }) } }
