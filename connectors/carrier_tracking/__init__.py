"""Raw tracking payloads of several carriers, from an inbox folder or asked for over HTTP."""
