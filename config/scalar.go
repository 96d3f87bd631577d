package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// setScalar reads one scalar's text into a field. Its errors say what was expected and never repeat
// the text, for it may hold a secret: the caller adds what was written where that is safe.
func setScalar(v reflect.Value, f field, text string) error {
	if v.Kind() == reflect.Pointer {
		p := reflect.New(v.Type().Elem())
		v.Set(p)
		v = p.Elem()
	}
	switch v.Interface().(type) {
	case plenum.Secret:
		return setSecret(v, text)
	case time.Duration:
		return setDuration(v, f, text)
	case time.Time:
		return setTime(v, text)
	case Size:
		return setSize(v, f, text)
	case plenum.Rate, plenum.Micros:
		return setMoney(v, f, text)
	case plenum.Tri:
		return setTri(v, text)
	case plenum.Window:
		return setWindow(v, text)
	}
	switch v.Kind() {
	case reflect.String:
		return setString(v, f, text)
	case reflect.Bool:
		return setBool(v, text)
	case reflect.Int:
		return setInt(v, f, text)
	}
	panic("config: a field of type " + v.Type().String())
}

func setSecret(v reflect.Value, text string) error {
	if text == "" {
		return errors.New("is empty")
	}
	v.Set(reflect.ValueOf(plenum.NewSecret(text)))
	return nil
}

func setString(v reflect.Value, f field, text string) error {
	if len(f.enum) > 0 && !slices.Contains(f.enum, text) {
		return fmt.Errorf("must be one of %s%s", strings.Join(f.enum, ", "), suggest(text, f.enum))
	}
	v.SetString(text)
	return nil
}

func setBool(v reflect.Value, text string) error {
	if text != "true" && text != "false" {
		return errors.New("must be true or false")
	}
	v.SetBool(text == "true")
	return nil
}

func setTri(v reflect.Value, text string) error {
	switch text {
	case "true":
		v.SetInt(int64(plenum.Yes))
	case "false":
		v.SetInt(int64(plenum.No))
	default:
		return errors.New("must be true or false, or left out where it is not known")
	}
	return nil
}

func setWindow(v reflect.Value, text string) error {
	w, err := plenum.ParseWindow(text)
	if err != nil {
		return errors.New("must be minute, hour, day, week, month, quarter, year or total, or a time such as 24h or 30d for a window that rolls")
	}
	v.Set(reflect.ValueOf(w))
	return nil
}

func setInt(v reflect.Value, f field, text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return errors.New("must be a whole number")
	}
	least, most := bound(f.min, math.MinInt64), bound(f.max, math.MaxInt32)
	if n < least || n > most {
		return fmt.Errorf("must be from %d to %d", least, most)
	}
	v.SetInt(n)
	return nil
}

func bound(text string, none int64) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return none
	}
	return n
}

func setDuration(v reflect.Value, f field, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("must be a duration such as 500ms, 5s or 2m")
	}
	least, err := time.ParseDuration(f.min)
	if err != nil {
		least = 0
	}
	if d < least {
		return fmt.Errorf("must be at least %s", f.min)
	}
	v.SetInt(int64(d))
	return nil
}

func setTime(v reflect.Value, text string) error {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			v.Set(reflect.ValueOf(t.UTC()))
			return nil
		}
	}
	return errors.New("must be a time such as 2027-01-31 or 2027-01-31T15:04:05Z")
}

// units are the suffixes of a size, longest first where one ends in another.
func units() []unit {
	return []unit{
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"kB", 1e3},
		{"KB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"B", 1},
		{"", 1},
	}
}

type unit struct {
	suffix string
	bytes  int64
}

func setSize(v reflect.Value, f field, text string) error {
	n, err := ParseSize(text)
	if err != nil {
		return errors.New("must be a size such as 512KiB, 64MiB or 10MB")
	}
	if least := bound(f.min, 0); int64(n) < least {
		return fmt.Errorf("must be at least %d bytes", least)
	}
	v.SetInt(int64(n))
	return nil
}

// ParseSize reads a number of bytes such as "64MiB", "10MB" or "4096".
func ParseSize(text string) (Size, error) {
	for _, u := range units() {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(digits, " "), 10, 63)
		if err != nil || n > uint64(math.MaxInt64/u.bytes) {
			break
		}
		return Size(int64(n) * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is not a size", clip(text))
}

// String returns the size in the largest unit that holds it exactly.
func (s Size) String() string {
	for _, u := range []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

func setMoney(v reflect.Value, f field, text string) error {
	m, err := plenum.ParseMicros(text)
	switch {
	case err != nil:
		return errors.New("must be an amount of dollars such as 3 or 0.15, to a millionth at most")
	case m < 0:
		return errors.New("must not be negative")
	case int64(m) > math.MaxInt64/f.scale:
		return errors.New("is too large")
	}
	v.SetInt(int64(m) * f.scale)
	return nil
}
