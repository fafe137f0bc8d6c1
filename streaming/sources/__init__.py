"""Where frames come from: video files and addresses, sets of photographs, synthetic scenes."""
