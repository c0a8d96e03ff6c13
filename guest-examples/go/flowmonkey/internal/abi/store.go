package abi

// The interfaces that keep JSON under keys have functions of the same few forms.

// Put calls a function that stores value as JSON.
func Put(function string, put func(key, value string, answer *Answer), key string, value any) error {
	call := Name(function, key)
	key = UTF8(key)
	text, err := Encode(call, value)
	if err != nil {
		return err
	}
	answer := new(Answer)
	Call(func() {
		put(key, text, answer)
		err = answer.Err(call)
	})
	return err
}

// Get calls a function that returns what is under a key, and puts it into what target points to.
func Get(function string, get func(key string, answer *Answer), key string, target any) (found bool, err error) {
	call := Name(function, key)
	key = UTF8(key)
	answer := new(Answer)
	var text string
	Call(func() {
		get(key, answer)
		if err = answer.Err(call); err == nil {
			text, found = answer.Optional()
		}
	})
	if !found {
		return false, err
	}
	return true, Decode(call, text, target)
}

// Remove calls a function that removes a key.
func Remove(function string, remove func(key string, answer *Answer), key string) (err error) {
	call := Name(function, key)
	key = UTF8(key)
	answer := new(Answer)
	Call(func() {
		remove(key, answer)
		err = answer.Err(call)
	})
	return err
}

// Keys calls a function that lists keys.
func Keys(function string, list func(answer *Answer)) (keys []string, err error) {
	answer := new(Answer)
	Call(func() {
		list(answer)
		if err = answer.Err(function); err == nil {
			keys = answer.Strings()
		}
	})
	return keys, err
}
