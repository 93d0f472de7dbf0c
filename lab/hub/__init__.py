"""The lab's hub: tiny real models, and the servers that offer them and the cached parts."""
