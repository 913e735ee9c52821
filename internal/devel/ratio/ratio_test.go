package ratio

import "testing"

func TestQuantile(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		part   float64
		want   float64
	}{
		{nil, 0.5, 0},
		{[]float64{7}, 0.5, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{4, 1, 3, 2}, 0, 1},
		{[]float64{4, 1, 3, 2}, 1, 4},
		{[]float64{10, 20, 30, 40, 50}, 0.25, 20},
	} {
		if got := Quantile(tc.values, tc.part); got != tc.want {
			t.Errorf("Quantile(%v, %v) = %v, want %v", tc.values, tc.part, got, tc.want)
		}
	}
}

// TestReport: what is reported is what the functions do.
func TestReport(t *testing.T) {
	var sink []byte
	calls := 0
	r := testing.Benchmark(func(b *testing.B) {
		Beyond(b, func() { calls++ }, func() { calls++; sink = make([]byte, 64); sink = make([]byte, 64) })
	})
	if got := r.Extra["allocs/beyond"]; got != 2 {
		t.Errorf("allocs/beyond is %v, want 2", got)
	}
	if calls == 0 || len(sink) == 0 {
		t.Error("nothing was called")
	}
}
