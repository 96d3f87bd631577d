package specs

import (
	"fmt"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Messages are a vendor's protobuf messages.
type Messages struct{ files *protoregistry.Files }

// XAI reads xAI's own description of its messages, and skips the test where there is none.
func XAI(t testing.TB) *Messages {
	t.Helper()
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(read(t, filepath.Join("xai", "proto-from-sdk-1.19.0", "xai.filedescriptorset.binpb")), &set); err != nil {
		t.Fatal(err)
	}
	for _, known := range []protoreflect.FileDescriptor{emptypb.File_google_protobuf_empty_proto, timestamppb.File_google_protobuf_timestamp_proto} {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(known))
	}
	files, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	return &Messages{files}
}

// Calls returns the paths of all calls of the vendor's description.
func (m *Messages) Calls() []string {
	var out []string
	m.files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			for k := range service.Methods().Len() {
				out = append(out, "/"+string(service.FullName())+"/"+string(service.Methods().Get(k).Name()))
			}
		}
		return true
	})
	return out
}

// Parse reads a message by the vendor's description.
func (m *Messages) Parse(name string, b []byte) (*dynamicpb.Message, error) {
	d, err := m.files.FindDescriptorByName(protoreflect.FullName("xai_api." + name))
	if err != nil {
		return nil, err
	}
	kind, ok := d.(protoreflect.MessageDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is no message", name)
	}
	out := dynamicpb.NewMessage(kind)
	if err := proto.Unmarshal(b, out); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// Check returns what is wrong with a message by the vendor's description, "" where nothing is: fields that it does not
// have, and words that its lists of words do not have.
func (m *Messages) Check(name string, b []byte) string {
	msg, err := m.Parse(name, b)
	if err != nil {
		return err.Error()
	}
	return unknown(msg, name)
}

func unknown(m protoreflect.Message, path string) (bad string) {
	if u := m.GetUnknown(); len(u) > 0 {
		return fmt.Sprintf("%s: fields that are not known: %x", path, []byte(u))
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		at := path + "." + string(f.Name())
		switch {
		case f.IsList():
			for i := range v.List().Len() {
				if bad = unknownValue(f, v.List().Get(i), fmt.Sprintf("%s[%d]", at, i)); bad != "" {
					return false
				}
			}
		case f.IsMap():
		default:
			bad = unknownValue(f, v, at)
		}
		return bad == ""
	})
	return bad
}

func unknownValue(f protoreflect.FieldDescriptor, v protoreflect.Value, at string) string {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return unknown(v.Message(), at)
	case protoreflect.EnumKind:
		if f.Enum().Values().ByNumber(v.Enum()) == nil {
			return fmt.Sprintf("%s: %d is not one of its words", at, v.Enum())
		}
	}
	return ""
}
