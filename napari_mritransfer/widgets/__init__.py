"""The only room that knows napari and Qt: layers, docks and menus over what the other rooms can do."""
